//! Native plugins on the engine trait: phases, panics, deadlines, laziness.

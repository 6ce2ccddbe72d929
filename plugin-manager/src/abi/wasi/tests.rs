//! Functions called with arguments and memory alone, against a port that answers from a script.

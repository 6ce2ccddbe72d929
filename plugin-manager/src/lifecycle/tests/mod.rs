//! A plugin's life on real engines: the state table, restarts, saved state, calls beside steps.

mod calls;
mod cancels;
mod rig;
mod state;
mod steps;
mod swap;
mod threads;

//! The daemon: one open home, asked over its unix socket until it is told to stop.
//!
//! `gate` knows whether it serves and what is under way, `listen` has the socket, `connection` one client, `routes`
//! what may be asked, `daemon` who may ask and what with, `run` the order of it all, from the first plugin that is
//! brought up to the last one that is stopped.

mod body;
mod connection;
mod daemon;
mod gate;
mod limits;
mod listen;
mod routes;
mod run;
mod stall;
#[cfg(test)]
mod tests;

pub use run::{Event, Options, Ready, serve};

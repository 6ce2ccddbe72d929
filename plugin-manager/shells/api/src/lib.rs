//! What a running daemon answers over its unix socket, and the client the command line asks it with.

//! A daemon in this process, asked as a command asks it and as nobody should.

//! microkernel

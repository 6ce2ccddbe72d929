//! Stories told through the public surface: the binary, its exit codes, its output and the files of a home.

mod desired;
mod development;
mod embedding;
mod hostile;
mod kill;
mod lock;
mod lockfile;
mod main_job;
mod shapes;
mod tamper;

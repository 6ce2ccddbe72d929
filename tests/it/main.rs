//! Stories told through the public surface: the binary, its exit codes, its output and the files of a home.

mod desired;
mod development;
mod faults_d;
mod hostile;
mod json_md;
mod kill;
mod lock;
mod lockfile;
mod main_job;
mod schemas;
mod shapes;
mod tamper;

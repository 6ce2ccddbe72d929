//! Stories told through the public surface: the binary, its exit codes, its output and the files of a home.

mod deps;
mod authors;
mod desired;
mod development;
mod faults_d;
mod help;
mod hostile;
mod kill;
mod lock;
mod lockfile;
mod main_job;
mod progress;
mod schemas;
mod native;
mod shapes;
mod tamper;

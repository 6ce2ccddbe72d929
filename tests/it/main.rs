//! Stories told through the public surface: the binary, its exit codes, its output and the files of a home.

mod authors;
mod deps;
mod desired;
mod development;
mod embedding;
mod faults_d;
mod help;
mod hostile;
mod json_md;
mod kill;
mod lock;
mod lockfile;
mod main_job;
mod mistakes;
mod native;
mod progress;
mod schemas;
mod serve;
mod serve_signals;
mod serve_socket;
mod shapes;
mod tamper;
mod upgrade;

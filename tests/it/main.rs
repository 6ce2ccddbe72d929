//! Stories told through the public surface: the binary, its exit codes, its output and the files of a home.

mod authors;
mod choose;
mod churn;
mod deps;
mod desired;
mod development;
mod disk;
mod embedding;
mod faults_d;
mod help;
mod hostile;
mod json_md;
mod kill;
mod kill_loop;
mod lock;
mod lockfile;
mod main_job;
mod mistakes;
mod native;
mod progress;
mod release;
mod schemas;
mod shapes;
mod tamper;
mod together;
mod upgrade;

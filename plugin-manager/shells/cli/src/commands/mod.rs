//! One file per group of commands. Each asks the library, then shows the answer; each holds the types whose
//! `Serialize` is its JSON.

mod approve;
mod audit;
mod call;
mod config;
mod deps;
mod doctor;
mod evidence;
mod explain;
mod export;
mod inspect;
mod install;
mod keys;
mod logs;
mod needs;
mod new;
mod package;
mod pages;
mod people;
mod plugins;
mod policy;
mod review;
mod schema;
mod secrets;
mod serve;
mod source;
mod stage;
mod status;
mod trial;
mod upgrade;

use crate::args::Command;
use crate::context::Context;
use crate::failure::Failure;
use forgeone_api::asks::Verb;

/// Runs one command.
///
/// # Errors
/// Whatever the command ran into.
pub fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::New(args) => new::new(context, args),
        Command::Pack(args) => package::pack(context, &args),
        Command::Sign(args) => package::sign(context, &args),
        Command::Verify(args) => package::verify(context, &args),
        Command::Inspect(args) => inspect::inspect(context, &args),
        Command::Keys(args) => keys::run(context, &args),
        Command::Stage(args) => stage::stage(context, &args),
        Command::Install(args) => install::install(context, args),
        Command::Upgrade(args) => upgrade::upgrade(context, &args),
        Command::Promote(args) => trial::promote(context, &args),
        Command::Abandon(args) => trial::abandon(context, &args),
        Command::Approve(args) => approve::approve(context, &args),
        Command::Rollback(args) => upgrade::rollback(context, &args),
        Command::Remove(args) => plugins::remove(context, &args),
        Command::List => status::list(context),
        Command::Status(args) => status::status(context, &args),
        Command::Start(args) => plugins::turn(context, &args, Verb::Start),
        Command::Stop(args) => plugins::turn(context, &args, Verb::Stop),
        Command::Pause(args) => plugins::turn(context, &args, Verb::Pause),
        Command::Resume(args) => plugins::turn(context, &args, Verb::Resume),
        Command::Release(args) => plugins::turn(context, &args, Verb::Release),
        Command::Call(args) => call::call(context, &args),
        Command::Config(args) => config::run(context, &args),
        Command::Secrets(args) => secrets::run(context, &args),
        Command::Logs(args) => logs::logs(context, &args),
        Command::Policy(args) => policy::run(context, &args),
        Command::Audit(args) => audit::run(context, &args),
        Command::Evidence(args) => evidence::evidence(context, args),
        Command::Review(args) => review::run(context, args),
        Command::Explain(args) => explain::explain(context, &args),
        Command::Schema(args) => schema::schema(context, &args),
        Command::Serve(args) => serve::serve(context, &args),
        Command::Doctor => doctor::doctor(context),
        Command::Deps(args) => deps::run(context, &args),
        Command::Completions(args) => pages::completions(context, &args),
        Command::Man(args) => pages::man(context, &args),
    }
}

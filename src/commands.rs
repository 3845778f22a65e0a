//! The command line as a whole: its commands, and failures as one line and an exit code.
//!
//! Those of operators are in [`crate::cli`], what never runs in production in [`crate::dev`].

mod usage;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tokio::runtime::Runtime;

use crate::app::config;
use crate::cli::{
    console, disputes, doctor, erase, events, follow_ups, grants, healthcheck, manual, migrate, orders, payments,
    prune, rebuild, refunds, restored, serve, sync,
};
use crate::dev::{self, demo, sign, simulate};
use crate::terminal::{self, error_chain::error_chain};

/// A Stripe webhook receiver for refunds and disputes
#[derive(Debug, Parser)]
#[command(name = "clawback", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service: receive webhooks and process events
    Serve(serve::ServeArgs),
    /// Run the service on a private local Postgres and print what each event changes
    Dev(dev::serve::Dev),
    /// Deliver scenarios of signed events to a private receiver and print the resulting states
    Demo(demo::Demo),
    /// Run pending migrations
    Migrate(migrate::Migrate),
    /// Check the setup and print a remedy for each problem
    Doctor(doctor::Doctor),
    /// List orders, show an order's whole story
    Orders(orders::Orders),
    /// List payments, link one to an order
    Payments(payments::Payments),
    /// List and request refunds
    Refunds(refunds::Refunds),
    /// List, show, answer and accept disputes
    Disputes(disputes::Disputes),
    /// List, show, follow and replay events
    Events(events::Events),
    /// List, show, requeue and discard follow-ups
    FollowUps(follow_ups::FollowUps),
    /// Add users to the operators' console
    Console(console::ConsoleArgs),
    /// Derive payments again from their events, for a release with other rules
    Rebuild(rebuild::Rebuild),
    /// List what happened at Stripe and did not come by webhook, or import an account
    Sync(sync::SyncArgs),
    /// Continue safely after the database was restored from a backup or lost commits in a fail-over
    Restored(restored::RestoredArgs),
    /// Remove event bodies, sent evidence and the content of ended follow-ups that are old enough
    Prune(prune::Prune),
    /// Erase personal data of orders, payments, customers or e-mail addresses
    Erase(erase::Erase),
    /// Print the SQL statements that grant a role what it needs
    Grants(grants::Grants),
    /// Send the signed events of a scenario to a receiver
    Simulate(simulate::Simulate),
    /// Run a local double of Stripe's API to develop and test against
    StripeDouble(dev::double::StripeDouble),
    /// Print a Stripe-Signature header for a body
    Sign(sign::Sign),
    /// Exit 0 if the service answers: for a container probe
    Healthcheck(healthcheck::Healthcheck),
    /// Print a completion script for a shell
    Completions(manual::Completions),
    /// Write a man page for each command
    Man(manual::Man),
}

/// Runs the command that the arguments name. Exit codes: 0 done, 1 failed, 2 wrong arguments or
/// configuration.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match parse() {
        Ok(cli) => cli,
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => error.exit(),
        Err(help) if !help.use_stderr() => {
            terminal::note(help.print());
            return ended(terminal::finish());
        }
        Err(error) => return refuse(&by_variable(usage::one_line(&error.to_string()), Cli::command())),
    };
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&format!("cannot start: {error}")),
    };
    ended(end(runtime, run(cli.command)).and_then(|()| terminal::finish()))
}

/// The exit code of an outcome. An error is printed.
fn ended(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<config::Misconfigured>() => refuse(&format!("{error:#}")),
        Err(error) => {
            terminal::tell(&error_chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

/// Runs a command, and leaves blocked threads behind: a DNS lookup cannot be interrupted and would delay the exit.
fn end<T>(runtime: Runtime, command: impl Future<Output = T>) -> T {
    let done = runtime.block_on(command);
    runtime.shutdown_background();
    done
}

fn parse() -> Result<Cli, clap::Error> {
    Cli::from_arg_matches(&without_empty_variables(Cli::command()).try_get_matches()?)
}

/// An empty variable counts as unset: compose files and charts set such.
fn without_empty_variables(command: clap::Command) -> clap::Command {
    let empty = |arg: &clap::Arg| arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    command
        .mut_args(|arg| if empty(&arg) { arg.env(None::<&'static str>) } else { arg })
        .mut_subcommands(without_empty_variables)
}

/// Names the environment variable where a value came from it: who set it may not know the option.
fn by_variable(line: String, mut command: clap::Command) -> String {
    command.build();
    let is_set = |arg: &&clap::Arg| arg.get_env().and_then(std::env::var_os).is_some();
    let set = command.get_subcommands().flat_map(clap::Command::get_arguments).filter(is_set);
    set.fold(line, |line, arg| {
        let (variable, option) = (arg.get_env().unwrap_or_default().display(), arg.get_long().unwrap_or_default());
        let is_given = std::env::args().any(|given| given.starts_with(&format!("--{option}")));
        if is_given { line } else { line.replace(&format!("'{arg}'"), &format!("{variable} (--{option})")) }
    })
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(args) => serve::run(args).await,
        Command::Dev(args) => dev::serve::run(args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Migrate(args) => migrate::run(args).await,
        Command::Doctor(args) => doctor::run(args).await,
        Command::StripeDouble(args) => dev::double::run(args).await,
        Command::Orders(args) => orders::run(args).await,
        Command::Payments(args) => payments::run(args).await,
        Command::Refunds(args) => refunds::run(args).await,
        Command::Disputes(args) => disputes::run(args).await,
        Command::Events(args) => events::run(args).await,
        Command::FollowUps(args) => follow_ups::run(args).await,
        Command::Console(args) => console::run(args),
        Command::Rebuild(args) => rebuild::run(args).await,
        Command::Sync(args) => sync::run(args).await,
        Command::Restored(args) => restored::run(args).await,
        Command::Prune(args) => prune::run(args).await,
        Command::Erase(args) => erase::run(args).await,
        Command::Grants(args) => grants::run(&args),
        Command::Simulate(args) => simulate::run(args).await,
        Command::Sign(args) => sign::run(&args),
        Command::Healthcheck(args) => healthcheck::run(&args).await,
        Command::Completions(args) => manual::complete(&args, Cli::command()),
        Command::Man(args) => manual::write(&args, Cli::command()),
    }
}

fn refuse(reason: &str) -> ExitCode {
    terminal::tell(reason);
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use clap::CommandFactory;
    use tokio::runtime::Runtime;

    #[test]
    fn a_name_that_is_still_being_looked_up_does_not_hold_up_the_end() {
        let (answer, answered) = mpsc::channel::<()>();
        let (gave_up, waited) = mpsc::channel();
        let (start, started) = tokio::sync::oneshot::channel();
        let command = async move {
            // What looks names up waits in a thread like this one.
            tokio::task::spawn_blocking(move || {
                start.send(()).expect("it is waited for");
                let _ = answered.recv_timeout(Duration::from_secs(20));
                let _ = gave_up.send(());
            });
            started.await.expect("it began");
        };
        super::end(Runtime::new().expect("a runtime"), command);
        assert_eq!(waited.try_recv(), Err(mpsc::TryRecvError::Empty), "it waits still");
        drop(answer);
        waited.recv().expect("it ends when it is answered");
    }

    #[test]
    fn the_arguments_of_every_command_are_sound() {
        super::Cli::command().debug_assert();
    }
}

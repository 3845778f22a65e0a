//! `clawback console`: lines for the users' file of the operators' console. The console itself is part of `serve`.

use std::io::{IsTerminal, stdin};

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use secrecy::{ExposeSecret, SecretString};

use crate::console::password::Hash;
use crate::console::users::{self, Rights};
use crate::terminal::say;

/// In characters. Length is what makes a password hard to guess.
const MIN_PASSWORD: usize = 12;

#[derive(Debug, Args)]
pub(crate) struct ConsoleArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask for a user's password and print the user's line for CLAWBACK_CONSOLE_USERS_FILE
    ///
    /// The password is asked for twice on a terminal, and else read from the first line of standard input.
    Password(Password),
}

#[derive(Debug, Args)]
struct Password {
    /// The user's name
    #[arg(value_parser = |text: &str| users::name(text).map(str::to_owned))]
    name: String,
    /// What the user may do, separated by commas: read, payloads, work, refund, respond
    #[arg(long, value_parser = users::rights)]
    rights: Rights,
    /// Ask for no password: a proxy says who the user is
    #[arg(long)]
    proxy: bool,
}

pub(crate) fn run(args: ConsoleArgs) -> anyhow::Result<()> {
    let Command::Password(Password { name, rights, proxy }) = args.command;
    let hash = if proxy { "-".to_owned() } else { hashed(&password(&name)?)? };
    let rights: Vec<_> = rights.iter().map(ToString::to_string).collect();
    say!("{name} {} {hash}", rights.join(","));
    Ok(())
}

fn password(name: &str) -> anyhow::Result<SecretString> {
    let password = if stdin().is_terminal() { asked(name)? } else { given()? };
    let length = password.expose_secret().chars().count();
    ensure!(length >= MIN_PASSWORD, "the password has {length} characters: it needs at least {MIN_PASSWORD}");
    Ok(password)
}

/// Asked for twice, without showing it.
fn asked(name: &str) -> anyhow::Result<SecretString> {
    let ask = |prompt: String| rpassword::prompt_password(prompt).context("cannot read the password");
    let first = ask(format!("Password for {name}: "))?;
    ensure!(first == ask("Again: ".to_owned())?, "the passwords differ");
    Ok(SecretString::from(first))
}

fn given() -> anyhow::Result<SecretString> {
    let mut line = String::new();
    stdin().read_line(&mut line).context("cannot read the password")?;
    Ok(SecretString::from(line.trim_end_matches(['\r', '\n'])))
}

fn hashed(password: &SecretString) -> anyhow::Result<String> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).context("no random numbers")?;
    let hash = Hash::of(password.expose_secret(), salt).context("cannot hash the password")?;
    Ok(hash.expose())
}

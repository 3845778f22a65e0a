//! `clawback completions` and `clawback man`: what shells and `man` know of the command line, made from its definition.

use std::io;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Command};
use clap_complete::Shell;

use crate::terminal::{self, count, say};

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The folder to write to, made if it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(crate) fn complete(args: &Completions, mut command: Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "clawback", &mut script);
    terminal::print(format_args!("{}", String::from_utf8_lossy(&script)));
    Ok(())
}

pub(crate) fn write(args: &Man, command: Command) -> anyhow::Result<()> {
    let folder = args.out.display();
    let written: io::Result<usize> = (|| {
        std::fs::create_dir_all(&args.out)?;
        clap_mangen::generate_to(command, &args.out)?;
        Ok(std::fs::read_dir(&args.out)?.count())
    })();
    let pages = written.with_context(|| format!("cannot write man pages to {folder}"))?;
    say!("{} in {folder}", count(pages, "man page"));
    Ok(())
}

//! The `clawback` binary: see [`clawback::commands`].

use std::process::ExitCode;

fn main() -> ExitCode {
    clawback::commands::main()
}

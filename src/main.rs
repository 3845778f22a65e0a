//! The `clawback` binary: see [`clawback::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    clawback::cli::main()
}

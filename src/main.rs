//! The program: its arguments, its streams, its exit code.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use portgen::cli::{Cli, Color};
use portgen::commands::{self, Streams};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let styled = match cli.color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never,
    };
    let stdout = io::stdout();
    let mut out = io::BufWriter::new(stdout.lock());
    let mut err = io::stderr().lock();
    let mut streams = Streams {
        out: &mut out,
        err: &mut err,
        styled,
        interactive: io::stdin().is_terminal() && io::stdout().is_terminal(),
    };
    let result = commands::run(cli.command, &mut streams);
    let result = result.and_then(|code| Ok(out.flush().map(|()| code)?));
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) if failure.is_closed_pipe() => ExitCode::SUCCESS,
        Err(failure) => {
            // Nothing is left to say it to when standard error is gone as well.
            let _ = writeln!(err, "error: {failure}");
            ExitCode::from(2)
        }
    }
}

//! One file a subcommand, each joining the stages with the disk.

mod check;
mod convert;
mod diff;
mod explain;
mod git;
mod init;
mod load;
mod migrate;
mod packaging;
mod render;
mod strategies;
mod trace;

use std::io;

use crate::cli::Command;
use crate::disk::DiskError;

/// Where a command writes.
pub struct Streams<'a> {
    /// Reports.
    pub out: &'a mut dyn io::Write,
    /// Progress and errors.
    pub err: &'a mut dyn io::Write,
    /// Whether reports are coloured.
    pub styled: bool,
    /// Whether somebody can be asked.
    pub interactive: bool,
}

/// Why a run stopped; findings are no reason to.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The disk said no.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A stream said no.
    #[error("cannot write the report: {0}")]
    Stream(#[from] io::Error),
    /// A fault of portgen or of a chart folder.
    #[error(transparent)]
    Output(#[from] crate::output::Fault),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
}

impl Failure {
    /// Whether whoever read the report stopped reading: `portgen diff | head`.
    #[must_use]
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Stream(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Runs a command; gives its exit code.
pub fn run(command: Command, streams: &mut Streams<'_>) -> Result<u8, Failure> {
    match command {
        Command::Init(arguments) => init::run(&arguments, streams),
        Command::Check(arguments) => check::run(&arguments, streams),
        Command::Render(arguments) => render::run(&arguments, streams),
        Command::Diff(arguments) => diff::run(&arguments, streams),
        Command::Convert(arguments) => convert::run(&arguments, streams),
        Command::Migrate(arguments) => migrate::run(&arguments, streams),
        Command::Strategies(arguments) => strategies::run(&arguments, streams),
        Command::Explain(arguments) => explain::run(&arguments, streams),
        Command::Schema => packaging::schema(streams),
        Command::Trace(arguments) => trace::run(&arguments, streams),
        Command::Completions { shell } => packaging::completions(shell, streams),
        Command::Man => packaging::man(streams),
    }
}

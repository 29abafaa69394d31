//! What packagers ask for: the schema, completions, the manual page.

use clap::CommandFactory;

use super::{Failure, Streams};
use crate::cli::Cli;
use crate::input;

/// `portgen schema`
pub fn schema(streams: &mut Streams<'_>) -> Result<u8, Failure> {
    streams.out.write_all(input::schema_text().as_bytes())?;
    Ok(0)
}

/// `portgen completions`
pub fn completions(shell: clap_complete::Shell, streams: &mut Streams<'_>) -> Result<u8, Failure> {
    // The generator panics on a closed pipe: give it memory instead.
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "portgen", &mut text);
    streams.out.write_all(&text)?;
    Ok(0)
}

/// `portgen man`
pub fn man(streams: &mut Streams<'_>) -> Result<u8, Failure> {
    let mut text = Vec::new();
    let mut command = Cli::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        clap_mangen::Man::new(subcommand.clone()).render(&mut text)?;
    }
    streams.out.write_all(&text)?;
    Ok(0)
}

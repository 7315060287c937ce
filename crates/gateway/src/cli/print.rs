//! `schema`, `completions` and `man`: pages made from the tables of keys and commands.

use std::io::{self, Write};

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use super::{Cli, SchemaFormat};
use crate::config::schema;

/// Prints the schema or the reference page.
pub(super) fn schema(format: SchemaFormat, out: &mut dyn Write) -> io::Result<u8> {
    match format {
        SchemaFormat::Json => writeln!(out, "{:#}", schema::json_schema())?,
        SchemaFormat::Markdown => write!(out, "{}", schema::reference())?,
    }
    Ok(0)
}

/// Prints a completion script.
pub(super) fn completions(shell: Shell, out: &mut dyn Write) -> io::Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "weighbridge", &mut script);
    out.write_all(&script)?;
    Ok(0)
}

/// Prints the manual page of the program or of one command; exit code 2 for no such command.
pub(super) fn man(command: Option<&str>, out: &mut dyn Write) -> io::Result<u8> {
    let mut program = Cli::command();
    program.build();
    let page = match command {
        None => program,
        Some(name) => match program.find_subcommand(name) {
            Some(command) => command.clone(),
            None => return unknown(name, &program),
        },
    };
    Man::new(page).render(&mut { out })?;
    Ok(0)
}

fn unknown(name: &str, program: &clap::Command) -> io::Result<u8> {
    let names: Vec<&str> = program.get_subcommands().map(clap::Command::get_name).collect();
    writeln!(io::stderr(), "no command `{name}`; there are {}", names.join(", "))?;
    Ok(2)
}

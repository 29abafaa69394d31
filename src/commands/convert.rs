//! `portgen convert`: a ConfigMap of MetalLB up to 0.12 as the objects MetalLB reads today.

use super::{Failure, Streams, load};
use crate::cli;
use crate::input::config_map;
use crate::output;
use crate::report::{self, Format, Origin, Report};

pub fn run(arguments: &cli::Convert, streams: &mut Streams<'_>) -> Result<u8, Failure> {
    let reading = config_map::read(load::one_source(&arguments.file)?);
    if !reading.findings.is_empty() {
        let origin = Origin { files: &reading.files, root: reading.root.as_ref() };
        let report = Report { origin, findings: &reading.findings, omitted: 0 };
        report::write(streams.err, Format::Text, &[report], streams.styled)?;
        return Ok(1);
    }
    let Some(config) = reading.config else {
        return Err(Failure::Usage(format!(
            "`{}` is no ConfigMap of MetalLB: those have `kind: ConfigMap` and a text under `data.config`",
            arguments.file
        )));
    };
    let (objects, remarks) = output::converted(&config);
    for (position, object) in objects.iter().enumerate() {
        if position > 0 {
            writeln!(streams.out, "---")?;
        }
        let text = output::to_yaml(object)
            .map_err(|reason| output::Fault { path: "the converted ConfigMap".to_owned(), reason })?;
        streams.out.write_all(text.as_bytes())?;
    }
    for remark in remarks {
        writeln!(streams.err, "note: {remark}")?;
    }
    Ok(0)
}

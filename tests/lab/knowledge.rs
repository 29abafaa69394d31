//! The table of what works where, held against what the lab proves.

use portgen::plan::knowledge::{Form, Verdict, cell};

use crate::cases::{CASES, Case};
use crate::data_plane::DataPlane;
use crate::matrix::DATA_PLANES;
use crate::page;

/// Whether the table says of a case what its packets said.
pub fn says(case: &Case, data_plane: DataPlane, carried: bool) -> Result<(), String> {
    let verdict = cell(case.form, data_plane.plane(), &[]);
    match (verdict, carried) {
        (Verdict::Works, true) | (Verdict::Refused { .. }, false) => Ok(()),
        _ => {
            let came = if carried { "packets came" } else { "it fails" };
            Err(format!("{came}, and the table says `{}` of {}", verdict.word(), case.form))
        }
    }
}

/// Whether every cell that claims `works` has a case, or a recording, and no cell claims less than was seen.
pub fn agrees() -> Result<(), String> {
    let recorded = page::recorded();
    let mut wrong = Vec::new();
    for form in Form::ALL {
        let cases: Vec<Case> = CASES.into_iter().filter(|case| case.form == form).collect();
        for data_plane in DATA_PLANES {
            let verdict = cell(form, data_plane.plane(), &[]);
            let carried = cases.iter().filter(|case| (case.refused)(data_plane).is_none()).count();
            let right = match verdict {
                Verdict::Works => carried > 0 && carried == cases.len(),
                Verdict::Refused { .. } => carried == 0,
                // What has a case is proven here, one way or the other.
                Verdict::Documented(_) | Verdict::NotProven(_) => cases.is_empty(),
            };
            if !right {
                wrong.push(format!("{form} on {}: `{}`", data_plane.name(), verdict.word()));
            }
        }
        let verdict = cell(form, DataPlane::Ipvs.plane(), &[]);
        let proofs: Vec<&str> = cases
            .iter()
            .filter_map(|case| Some(recorded.as_ref()?.cases.get(case.title)?.seen.verdict.as_str()))
            .collect();
        let right = match verdict {
            Verdict::Works => !proofs.is_empty() && proofs.iter().all(|proof| *proof == "works"),
            Verdict::Refused { .. } => proofs.iter().all(|proof| proof.starts_with("fails as predicted")),
            Verdict::Documented(_) | Verdict::NotProven(_) => proofs.is_empty(),
        };
        if !right {
            wrong.push(format!("{form} on IPVS: `{}`, and recorded is {proofs:?}", verdict.word()));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

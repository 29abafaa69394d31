//! A combination that follows from what was proven but was not tried itself.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::Plan;
use crate::plan::knowledge::{Form, Verdict, verdict};

pub static RULE: Rule = Rule {
    name: "unproven-combination",
    severity: Severity::Warning,
    acceptable: true,
    page: include_str!("unproven_combination.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let verdict = verdict(Form::of(gateway), plan.cluster.data_plane, &plan.cluster.families);
        if let Verdict::NotProven(reason) = verdict {
            findings.push(Finding::new(
                &RULE,
                Place::Value(gateway.exposure("strategy")),
                format!("`{}` on {} is not proven: {reason}", gateway.strategy.name(), plan.cluster.data_plane),
                "try it on one node with the commands of the generated README, then accept it with a reason",
            ));
        }
    }
}

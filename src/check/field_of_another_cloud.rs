//! Fields for a cloud that the gateway is not exposed on.

use crate::finding::{Finding, Place, Rule, Severity};
use crate::plan::{CloudProvider, Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "field-of-another-cloud",
    severity: Severity::Error,
    acceptable: false,
    page: include_str!("field_of_another_cloud.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        let Strategy::CloudLoadBalancer { provider, strays, .. } = &gateway.strategy else { continue };
        for field in strays {
            findings.push(Finding::new(
                &RULE,
                Place::Key(gateway.exposure(field)),
                format!("`{field}` is for another cloud than `provider: {}`", word(*provider)),
                format!("take it out, or set `provider: {field}`"),
            ));
        }
    }
}

fn word(provider: CloudProvider) -> &'static str {
    match provider {
        CloudProvider::Aws => "aws",
        CloudProvider::Gcp => "gcp",
        CloudProvider::Azure => "azure",
    }
}

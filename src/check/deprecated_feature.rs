//! Features that Kubernetes has announced the end of, by the cluster's version.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::knowledge::{Feature, deprecation};
use crate::plan::{AwsController, ClaimForm, Cloud, KubeProxyMode, Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "deprecated-feature",
    severity: Severity::Warning,
    acceptable: true,
    page: include_str!("deprecated_feature.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    let mut say = |feature: Feature, route: Route| {
        let deprecation = deprecation(feature);
        if deprecation.holds(plan.cluster.version) {
            findings.push(Finding::new(&RULE, Place::Value(route), deprecation.phrase(), deprecation.way_out()));
        }
    };
    for gateway in plan.gateways.values() {
        if let Strategy::ExternalIps { form: ClaimForm::Spec, .. } = gateway.strategy {
            say(Feature::ExternalIps, gateway.exposure("strategy"));
        }
    }
    if plan.cluster.data_plane.kube_proxy() == Some(KubeProxyMode::Ipvs) {
        say(Feature::Ipvs, Route::of(["cluster", "serviceProxy", "mode"]));
    }
    of_clouds(plan, findings);
}

/// What a cloud still fixes, and no longer builds on.
fn of_clouds(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values() {
        if let Strategy::CloudLoadBalancer { cloud: Cloud::Aws(aws), .. } = &gateway.strategy
            && aws.controller == AwsController::CloudProviderAws
        {
            findings.push(Finding::new(
                &RULE,
                Place::Value(gateway.exposure("aws").key("controller")),
                "AWS gives load balancers of cloud-provider-aws critical fixes only",
                "install the AWS Load Balancer Controller and use `controller: aws-load-balancer-controller`",
            ));
        }
    }
}

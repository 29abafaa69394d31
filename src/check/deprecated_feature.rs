//! Features that Kubernetes has announced the end of, by the cluster's version.

use crate::finding::{Finding, Place, Route, Rule, Severity};
use crate::plan::{AwsController, ClaimForm, Cloud, KubeProxyMode, Plan, Strategy};

pub static RULE: Rule = Rule {
    name: "deprecated-feature",
    severity: Severity::Warning,
    acceptable: true,
    page: include_str!("deprecated_feature.md"),
};

pub fn inspect(plan: &Plan, findings: &mut Vec<Finding>) {
    for gateway in plan.gateways.values().filter(|_| plan.cluster.version.at_least(36)) {
        if let Strategy::ExternalIps { form: ClaimForm::Spec, .. } = gateway.strategy {
            findings.push(Finding::new(
                &RULE,
                Place::Value(gateway.exposure("strategy")),
                "`spec.externalIPs` of Services is deprecated since Kubernetes 1.36",
                "move to `nodePortRedirect` or `metalLB`, or set `form: status`; KEP-5707 plans to switch kube-proxy's `AllowServiceExternalIPs` off by default in 1.40 and to lock it in 1.43",
            ));
        }
    }
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
    if plan.cluster.data_plane.kube_proxy() == Some(KubeProxyMode::Ipvs) && plan.cluster.version.at_least(35) {
        findings.push(Finding::new(
            &RULE,
            Place::Value(Route::of(["cluster", "serviceProxy", "mode"])),
            "kube-proxy's IPVS mode is deprecated since Kubernetes 1.35",
            "move to `mode: nftables`, stable since 1.33; KEP-5495 plans to switch IPVS off by default in 1.40 and to remove it in 1.43",
        ));
    }
}

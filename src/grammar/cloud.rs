//! What clouds call the things a load balancer is made of.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Grammar, Refusal, is_alphanumeric, is_dns_label, shown, textual, verbatim};

/// A word, a dash, and eight or seventeen hexadecimal digits, as EC2 counts.
fn is_ec2_id(text: &str, word: &str) -> bool {
    text.strip_prefix(word).and_then(|rest| rest.strip_prefix('-')).is_some_and(|digits| {
        matches!(digits.len(), 8 | 17) && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// A letter or digit first, then letters, digits, `_`, `.` and `-`, none of the last two at the end.
fn is_azure_name(text: &str, longest: usize) -> bool {
    let bytes = text.as_bytes();
    (1..=longest).contains(&bytes.len())
        && bytes[0].is_ascii_alphanumeric()
        && bytes.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
        && !matches!(bytes[bytes.len() - 1], b'.' | b'-')
}

/// Five groups of lower-case hexadecimal digits.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_digit() || (b'a'..=b'f').contains(&b),
        })
}

verbatim!(
    /// A subnet of an AWS VPC, by its id.
    AwsSubnet, "aws-subnet", "^subnet-([0-9a-f]{8}|[0-9a-f]{17})$", "the id of an AWS subnet",
    "`subnet-` and 8 or 17 hexadecimal digits: `subnet-0123456789abcdef0`",
    |text| is_ec2_id(text, "subnet")
);

verbatim!(
    /// An Elastic IP of AWS, by its allocation.
    AwsAllocation, "aws-allocation", "^eipalloc-([0-9a-f]{8}|[0-9a-f]{17})$", "the allocation of an Elastic IP",
    "`eipalloc-` and 8 or 17 hexadecimal digits: `eipalloc-0123456789abcdef0`",
    |text| is_ec2_id(text, "eipalloc")
);

verbatim!(
    /// The name of a Google Cloud resource: an address, a subnet.
    GcpName, "gcp-name", "^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$", "a Google Cloud name",
    "1 to 63 lower-case letters, digits and dashes, a letter first, no dash at the end",
    |text| is_dns_label(text, 63) && text.bytes().next().is_some_and(|b| is_alphanumeric(b) && !b.is_ascii_digit())
);

verbatim!(
    /// The name of an Azure resource: a public address, a subnet, a resource group.
    AzureName, "azure-name", "^[A-Za-z0-9]([-A-Za-z0-9_.]{0,78}[A-Za-z0-9_])?$", "an Azure name",
    "1 to 80 letters, digits, `_`, `.` and `-`, a letter or digit first, a letter, digit or `_` last",
    |text| is_azure_name(text, 80)
);

verbatim!(
    /// The id of an Azure public IP prefix.
    AzurePrefix, "azure-ip-prefix",
    "^/subscriptions/[0-9a-f-]{36}/resourceGroups/[-A-Za-z0-9_.]{1,80}/providers/Microsoft.Network/publicIPPrefixes/[-A-Za-z0-9_.]{1,80}$",
    "the id of an Azure public IP prefix",
    "`/subscriptions/…/resourceGroups/…/providers/Microsoft.Network/publicIPPrefixes/…`",
    |text| match text.split('/').collect::<Vec<_>>()[..] {
        ["", "subscriptions", id, "resourceGroups", group, "providers", "Microsoft.Network", "publicIPPrefixes", name] => {
            is_uuid(id)
                && is_azure_name(group, 80)
                && is_azure_name(name, 80)
        }
        _ => false,
    },
    |text| match text.split('/').collect::<Vec<_>>()[..] {
        ["", "subscriptions", id, "resourceGroups", group, "providers", "Microsoft.Network", "publicIPPrefixes", name] => {
            let names = [(group, "resource group"), (name, "prefix")];
            match names.into_iter().find(|(name, _)| !is_azure_name(name, 80)) {
                _ if !is_uuid(id) => {
                    format!("`{}` is no subscription: 32 digits 0 to 9 and a to f, in groups of 8, 4, 4, 4 and 12", shown(id))
                }
                Some((name, what)) => format!("`{}` is no name of a {what}: {}", shown(name), AzureName::DESCRIPTION),
                None => AzurePrefix::DESCRIPTION.to_owned(),
            }
        }
        _ => AzurePrefix::DESCRIPTION.to_owned(),
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_whole() {
        assert!("subnet-0123abcd".parse::<AwsSubnet>().is_ok());
        assert!("eipalloc-0123456789abcdef0".parse::<AwsAllocation>().is_ok());
        for text in ["subnet-0123ABCD", "subnet-012", "eipalloc-0123abcd", "subnet-0123abcd,subnet-0123abcd", ""] {
            assert!(text.parse::<AwsSubnet>().is_err(), "{text}");
        }
        assert!("edge-address".parse::<GcpName>().is_ok());
        for text in ["1edge", "edge-", "Edge", "a,b", ""] {
            assert!(text.parse::<GcpName>().is_err(), "{text}");
        }
        assert!("Edge_1.public".parse::<AzureName>().is_ok());
        for text in ["_edge", "edge.", "edge-", "a b", "a/b", ""] {
            assert!(text.parse::<AzureName>().is_err(), "{text}");
        }
        let prefix = "/subscriptions/01234567-89ab-cdef-0123-456789abcdef/resourceGroups/net/providers/Microsoft.Network/publicIPPrefixes/edge";
        assert!(prefix.parse::<AzurePrefix>().is_ok());
        assert!(prefix.replace("Microsoft", "microsoft").parse::<AzurePrefix>().is_err());
        assert!(format!("{prefix}/x").parse::<AzurePrefix>().is_err());
        let help = |from: &str, to: &str| prefix.replace(from, to).parse::<AzurePrefix>().unwrap_err().help;
        assert!(help("01234567-", "01234567").starts_with("`0123456789ab-cdef-0123-456789abcdef` is no subscription"));
        assert!(help("/net/", "/-net/").starts_with("`-net` is no name of a resource group"));
    }
}

//! systemd: units and drop-ins as sections of typed settings, and the reader that checks what was written.

use std::fmt;

/// A unit file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// In the order they are written.
    pub sections: Vec<Section>,
}

/// One `[Section]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its name.
    pub name: String,
    /// `key=value`, in written order.
    pub settings: Vec<(String, String)>,
}

/// Every setting portgen writes. systemd ignores a key it does not know, with a warning nobody reads: a key that
/// is not on this list never reaches a file.
const KNOWN: &[(&str, &[&str])] = &[
    (
        "Unit",
        &[
            "Description",
            "Documentation",
            "DefaultDependencies",
            "Conflicts",
            "Wants",
            "Requires",
            "Before",
            "After",
            "ReloadPropagatedFrom",
        ],
    ),
    (
        "Service",
        &[
            "Type",
            "RemainAfterExit",
            "ExecStart",
            "ExecReload",
            "ExecStop",
            "TimeoutStartSec",
            "TimeoutStopSec",
            "DynamicUser",
            "LimitNOFILE",
            "NoNewPrivileges",
            "ProtectSystem",
            "ProtectHome",
            "PrivateTmp",
            "PrivateDevices",
            "RestrictAddressFamilies",
            "CapabilityBoundingSet",
            "SystemCallFilter",
            "SystemCallArchitectures",
            "MemoryDenyWriteExecute",
            "LockPersonality",
            "RestrictRealtime",
            "RestrictNamespaces",
            "ProtectKernelTunables",
            "ProtectControlGroups",
            "ProtectClock",
            "ProtectHostname",
        ],
    ),
    ("Socket", &["ListenStream", "BindIPv6Only", "BindToDevice", "NoDelay", "Backlog", "Service"]),
    ("Install", &["WantedBy"]),
];

impl Unit {
    /// A unit of these sections.
    #[must_use]
    pub fn new<const N: usize>(sections: [(&str, Vec<(&str, String)>); N]) -> Self {
        let section = |(name, settings): (&str, Vec<(&str, String)>)| Section {
            name: name.to_owned(),
            settings: settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
        };
        Self { sections: sections.into_iter().map(section).collect() }
    }

    /// Whether every setting is one systemd knows in that section and every value is one printed line.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.sections.iter().all(|section| {
            KNOWN.iter().find(|(name, _)| *name == section.name).is_some_and(|(_, keys)| {
                section.settings.iter().all(|(key, value)| keys.contains(&key.as_str()) && is_plain(value))
            })
        })
    }
}

/// `%` starts a specifier, `$` a variable and a backslash at the end joins lines: nothing portgen writes needs them.
fn is_plain(value: &str) -> bool {
    !value.is_empty() && !value.contains(['%', '$', '\\']) && !value.chars().any(crate::grammar::is_unprintable)
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, section) in self.sections.iter().enumerate() {
            if position > 0 {
                writeln!(f)?;
            }
            writeln!(f, "[{}]", section.name)?;
            for (key, value) in &section.settings {
                writeln!(f, "{key}={value}")?;
            }
        }
        Ok(())
    }
}

/// Reads back what [`Unit`] writes; `None` for anything else.
#[must_use]
pub fn read(text: &str) -> Option<Unit> {
    let mut sections: Vec<Section> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.push(Section { name: name.to_owned(), settings: Vec::new() });
        } else {
            let (key, value) = line.split_once('=')?;
            sections.last_mut()?.settings.push((key.to_owned(), value.to_owned()));
        }
    }
    Some(Unit { sections })
}

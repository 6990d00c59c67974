//! Feature gates.

use std::collections::BTreeMap;

use crate::Error;

/// A feature that can be switched.
#[derive(Debug, Clone, Copy)]
pub struct Gate {
    /// Its name on the command line.
    pub name: &'static str,
    /// Whether it is on by default.
    pub default: bool,
}

/// The gates of a process.
#[derive(Debug, Clone)]
pub struct Gates(BTreeMap<&'static str, bool>);

impl Gates {
    /// Applies `name=bool` settings, the last of a name winning; a name alone switches it on.
    ///
    /// # Errors
    /// When a name is unknown or a value is not a boolean.
    pub fn new(known: &[Gate], settings: &[String]) -> Result<Self, Error> {
        let mut gates: BTreeMap<_, _> = known.iter().map(|gate| (gate.name, gate.default)).collect();
        for setting in settings.iter().filter(|setting| !setting.trim().is_empty()) {
            let (name, value) = setting.split_once('=').unwrap_or((setting, "true"));
            let name = name.trim();
            let gate = gates.get_mut(name).ok_or_else(|| Error::UnknownGate(name.to_owned()))?;
            *gate = crate::options::go_bool(value.trim()).map_err(|problem| Error::Flag {
                flag: "--feature-gates",
                problem: format!("value of {name} is {problem}"),
            })?;
            tracing::info!(gate = name, enabled = *gate, "loading feature gate");
        }
        Ok(Self(gates))
    }

    /// Checks a flag that names an account, which means nothing without the gate `ObjectLevelWorkloadIdentity`.
    ///
    /// # Errors
    /// When the gate is off and `name` is not empty.
    pub fn account(&self, flag: &'static str, name: &str) -> Result<(), Error> {
        if name.is_empty() || self.enabled("ObjectLevelWorkloadIdentity") {
            return Ok(());
        }
        let problem = "needs --feature-gates=ObjectLevelWorkloadIdentity=true".to_owned();
        Err(Error::Flag { flag, problem })
    }

    /// Whether a gate is on. A gate the controller does not know is off.
    #[must_use]
    pub fn enabled(&self, name: &str) -> bool {
        self.0.get(name).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Gate] = &[Gate { name: "A", default: false }, Gate { name: "B", default: true }];

    fn gates(settings: &[&str]) -> Result<Gates, Error> {
        Gates::new(KNOWN, &settings.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn settings_merge() {
        let gates = gates(&["A=true", "B=false"]).unwrap();
        assert!(gates.enabled("A") && !gates.enabled("B") && !gates.enabled("C"));
        assert!(super::Gates::new(KNOWN, &[]).unwrap().enabled("B"));
    }

    #[test]
    fn unknown_names_and_values_are_errors() {
        assert_eq!(gates(&["Nope=true"]).unwrap_err().to_string(), "feature-gate 'Nope' not supported");
        assert!(gates(&["A=perhaps"]).unwrap_err().to_string().contains('A'));
    }
}

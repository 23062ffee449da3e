//! `slot.stream.params`: options of the output plug-in.

use lavka_api::{Error, Result};

use super::{Settings, invalid};

/// What the options ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PluginOptions {
    /// `origin=none`: transactions that were replicated from another server are passed over.
    pub(crate) local_only: bool,
}

impl Settings {
    /// The options of `slot.stream.params` (`name=value;name=value`). Entries without a value count as absent, as with
    /// Debezium; see [`Settings::without_effect`].
    ///
    /// # Errors
    /// Where an option is not one of `pgoutput`, or has a value that changes the protocol.
    pub(crate) fn plugin_options(&self) -> Result<PluginOptions> {
        let mut options = PluginOptions::default();
        for (name, value) in self.stream_params().flatten() {
            let off = ["false", "off", "no", "0"].iter().any(|word| value.eq_ignore_ascii_case(word));
            match name {
                "origin" if value.eq_ignore_ascii_case("none") => options.local_only = true,
                "origin" if value.eq_ignore_ascii_case("any") => options.local_only = false,
                // What the connector asks for anyway.
                "binary" | "streaming" | "two_phase" if off => {}
                _ => {
                    return Err(Error::config(invalid(
                        "slot.stream.params",
                        &format!(
                            "{name}={value} cannot be passed on: of pgoutput's options origin=none, origin=any, binary=false, \
                             streaming=off and two_phase=off can be chosen, and the connector sets the others itself"
                        ),
                    )));
                }
            }
        }
        Ok(options)
    }

    /// Names and values in `slot.stream.params`; `None` for an entry that has no value.
    pub(super) fn stream_params(&self) -> impl Iterator<Item = Option<(&str, &str)>> {
        let entries = self.replication.slot_stream_params.iter().flat_map(|text| text.split(';'));
        entries.map(str::trim).filter(|entry| !entry.is_empty()).map(|entry| {
            let (name, value) = entry.split_once('=')?;
            Some((name.trim(), value.trim())).filter(|(name, value)| !name.is_empty() && !value.is_empty())
        })
    }
}

#[cfg(test)]
mod tests {
    use lavka_api::config::{Config, ConfigSpec as _};

    use super::*;

    fn options(text: &str) -> Result<PluginOptions> {
        Settings::from_config(&Config::from([("slot.stream.params", text)])).unwrap().plugin_options()
    }

    #[test]
    fn options_of_pgoutput_are_taken_where_they_leave_the_protocol_alone() {
        assert_eq!(options("").unwrap(), PluginOptions::default());
        assert!(options("streaming=off; origin = None ;").unwrap().local_only);
        assert!(!options("origin=none;origin=any;nothing").unwrap().local_only);
        for refused in ["binary=true", "proto_version=4", "add-tables=public.t", "streaming=on"] {
            let error = options(refused).unwrap_err().to_string();
            assert!(error.contains(refused) && error.contains("'slot.stream.params'"), "{error}");
        }
    }
}

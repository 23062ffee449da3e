//! Metrics as text: Prometheus' format 0.0.4 and OpenMetrics 1.0.
//!
//! A crate for this would bring a registry of its own, and what there is to tell is known only when it is asked for:
//! tasks come and go, and so do the tables that they read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::metrics::double;

/// One of the two formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' own, version 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// Both, the one that is given where a client takes either first.
    pub const ALL: [Self; 2] = [Self::Prometheus, Self::OpenMetrics];

    /// Its media type, without parameters.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain",
            Self::OpenMetrics => "application/openmetrics-text",
        }
    }

    /// The value of a `Content-Type` header.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows; its name ends in `_total`.
    Counter,
    /// It goes up and down.
    Gauge,
    /// It says nothing of that: a number that grows under a name that is not a counter's.
    Unknown,
}

#[derive(Debug)]
struct Family {
    kind: Kind,
    help: String,
    /// By labels as they are written, so that none comes twice.
    samples: BTreeMap<String, f64>,
}

/// Metrics to be written, by name.
#[derive(Debug)]
pub struct Families {
    families: BTreeMap<String, Family>,
    room: usize,
    left_out: u64,
}

/// What a line takes beside its labels, at most: a name and a number.
const LINE: usize = 128;
/// What tells how many values found no room.
const LEFT_OUT: &str = "lavka_metrics_left_out";

impl Families {
    /// No metrics yet. What would make the text longer than about `most` bytes is left out, and counted.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { families: BTreeMap::new(), room: most, left_out: 0 }
    }

    /// Adds a value. Characters that names may not have become underscores; values of labels are written as they are,
    /// escaped; of labels with the same name the first counts. The kind and the help of a name are those of its first value.
    pub fn add(&mut self, name: &str, kind: Kind, help: &str, labels: &[(&str, &str)], value: f64) {
        let mut text = String::new();
        let mut there: Vec<String> = Vec::with_capacity(labels.len());
        for (label, of) in labels {
            let label = named(label, false);
            if there.contains(&label) {
                continue;
            }
            text.push(if text.is_empty() { '{' } else { ',' });
            text.push_str(&label);
            there.push(label);
            text.push_str("=\"");
            escape(&mut text, of, true);
            text.push('"');
        }
        if !text.is_empty() {
            text.push('}');
        }
        let Some(room) = self.room.checked_sub(text.len().saturating_add(LINE)) else {
            self.left_out += 1;
            return;
        };
        self.room = room;
        let family = self.families.entry(named(name, true)).or_insert_with(|| Family {
            kind,
            help: help.to_owned(),
            samples: BTreeMap::new(),
        });
        family.samples.insert(text, value);
    }

    /// Everything as text.
    #[must_use]
    pub fn text(mut self, format: Format) -> String {
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            self.room = usize::MAX;
            let help = "Values for which there was no room in this answer";
            self.add(LEFT_OUT, Kind::Gauge, help, &[], double(left_out));
        }
        let mut out = String::new();
        for (name, family) in &self.families {
            self.family(name, family, format, &mut out);
        }
        if format == Format::OpenMetrics {
            out.push_str("# EOF\n");
        }
        out
    }

    fn family(&self, name: &str, family: &Family, format: Format, out: &mut String) {
        // In OpenMetrics a counter's family has no `_total`, and no two families have the same name.
        let bare = name.strip_suffix("_total").filter(|bare| !bare.is_empty());
        let counts = bare.filter(|bare| family.kind == Kind::Counter && !self.families.contains_key(*bare));
        let (shown, kind) = match (format, counts, family.kind) {
            (Format::OpenMetrics, Some(bare), _) => (bare, "counter"),
            (Format::Prometheus, _, Kind::Counter) => (name, "counter"),
            (_, _, Kind::Gauge) => (name, "gauge"),
            (Format::OpenMetrics, ..) => (name, "unknown"),
            (Format::Prometheus, ..) => (name, "untyped"),
        };
        // Writing to a string cannot fail.
        let _ = write!(out, "# HELP {shown} ");
        escape(out, &family.help, format == Format::OpenMetrics);
        let _ = writeln!(out, "\n# TYPE {shown} {kind}");
        for (labels, value) in &family.samples {
            let _ = write!(out, "{name}{labels} ");
            let _ = match *value {
                f64::INFINITY => writeln!(out, "+Inf"),
                f64::NEG_INFINITY => writeln!(out, "-Inf"),
                value => writeln!(out, "{value}"),
            };
        }
    }
}

/// A name as these formats have them; `colons` are for names of metrics.
fn named(name: &str, colons: bool) -> String {
    let keep = |c: char| c.is_ascii_alphanumeric() || (colons && c == ':');
    let mut out: String = name.chars().map(|c| if keep(c) { c } else { '_' }).collect();
    if out.chars().next().is_none_or(|first| first.is_ascii_digit()) {
        out.insert(0, '_');
    }
    out
}

fn escape(out: &mut String, text: &str, quotes: bool) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn families() -> Families {
        let mut families = Families::new(10_000);
        families.add("rows-total", Kind::Counter, "Rows", &[("task", "0")], 3.0);
        families.add("rows-total", Kind::Counter, "Rows", &[("task", "1")], 4.0);
        families.add("lag", Kind::Gauge, "A \"lag\"\n\\", &[], f64::NAN);
        families.add("9x.Seen", Kind::Unknown, "", &[("a-b", "q\"\\\n{}é")], f64::INFINITY);
        families
    }

    #[test]
    fn prometheus_text_is_to_the_letter() {
        assert_eq!(
            families().text(Format::Prometheus),
            "# HELP _9x_Seen \n# TYPE _9x_Seen untyped\n_9x_Seen{a_b=\"q\\\"\\\\\\n{}é\"} +Inf\n\
             # HELP lag A \"lag\"\\n\\\\\n# TYPE lag gauge\nlag NaN\n\
             # HELP rows_total Rows\n# TYPE rows_total counter\nrows_total{task=\"0\"} 3\nrows_total{task=\"1\"} 4\n"
        );
    }

    #[test]
    fn openmetrics_names_counters_without_total_and_ends() {
        let text = families().text(Format::OpenMetrics);
        for part in [
            "# HELP rows Rows\n# TYPE rows counter\nrows_total{task=\"0\"} 3\n",
            "# TYPE _9x_Seen unknown\n",
            "# HELP lag A \\\"lag\\\"\\n\\\\\n",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(text.ends_with("\n# EOF\n"));
        let mut both = Families::new(10_000);
        both.add("rows", Kind::Gauge, "", &[], 1.0);
        both.add("rows_total", Kind::Counter, "", &[], 1.0);
        assert!(both.text(Format::OpenMetrics).contains("# TYPE rows_total unknown\n"), "no name twice");
    }

    #[test]
    fn nothing_comes_twice_and_nothing_without_end() {
        let mut families = Families::new(2_000);
        families.add("a", Kind::Gauge, "", &[("x", "1")], 1.0);
        families.add("a", Kind::Gauge, "", &[("x", "1"), ("x", "2")], 2.0);
        for number in 0..1_000 {
            families.add("b", Kind::Gauge, "", &[("x", &number.to_string())], 1.0);
        }
        families.add("c", Kind::Gauge, "", &[("x", &"y".repeat(1 << 20))], 1.0);
        let text = families.text(Format::Prometheus);
        assert_eq!(text.matches("\na{x=\"1\"} 2\n").count(), 1, "{text}");
        assert!(text.len() < 2_500, "{text}");
        assert!(text.contains("\nlavka_metrics_left_out 9"), "{text}");
    }
}

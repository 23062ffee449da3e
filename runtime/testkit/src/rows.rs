//! Rows of the conformance cases, and whether each of them has a test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::failure::{Context as _, Failure, OrFail as _};

/// Which rows a section of the cases has, and why some of them have no test.
///
/// Lists are texts: a line `section N` begins a section, other lines hold numbers (`C1 C2 …`), and a line
/// `- A37 A38: why` names rows without a test. `#` begins a comment.
#[derive(Debug, Default)]
pub struct ConformanceRows {
    rows: BTreeSet<String>,
    untested: BTreeMap<String, String>,
}

impl ConformanceRows {
    /// The rows of `section`.
    #[must_use]
    pub fn of(list: &str, section: &str) -> Self {
        let mut found = Self::default();
        let mut inside = false;
        for line in list.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
            if let Some(name) = line.strip_prefix("section ") {
                inside = name == section;
            } else if !inside {
            } else if let Some((rows, why)) = line.strip_prefix('-').and_then(|line| line.split_once(':')) {
                let why = why.trim().to_owned();
                found.untested.extend(rows.split_whitespace().map(|row| (row.to_owned(), why.clone())));
            } else {
                found.rows.extend(line.split_whitespace().map(str::to_owned));
            }
        }
        found
    }

    /// The number of rows.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rows.len() + self.untested.len()
    }

    /// Whether the section has this row.
    #[must_use]
    pub fn has(&self, row: &str) -> bool {
        self.rows.contains(row) || self.untested.contains_key(row)
    }

    /// What is wrong with the tests, of which there is one for each row in `tested`: rows without a test, and rows that
    /// have one by now although the list says why they have none.
    #[must_use]
    pub fn complaints(&self, tested: &BTreeSet<String>) -> Vec<String> {
        let missing = self.rows.difference(tested).map(|row| format!("{row} has no test"));
        let excused = self.untested.iter().filter(|(row, _)| tested.contains(*row));
        missing
            .chain(excused.map(|(row, why)| format!("{row} has a test; it was to have none: {why}")))
            .collect()
    }
}

/// The rows that the names of tests below `folder` begin with (`a18_to_a20_…`, `j1_to_j3_and_j6_…`), and those that
/// stand as texts of their own (`"J16"`) in the tables of files below a folder `tests`.
///
/// # Panics
/// Where a file cannot be read.
#[must_use]
pub fn rows_of_tests_below(folder: &Path) -> BTreeSet<String> {
    let mut rows = BTreeSet::new();
    collect(folder, false, &mut rows).or_fail();
    rows
}

fn collect(folder: &Path, tables: bool, rows: &mut BTreeSet<String>) -> Result<(), Failure> {
    let explain = || format!("cannot read {}", folder.display());
    for entry in fs::read_dir(folder).context(explain)? {
        let path = entry.context(explain)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                collect(&path, tables || name == "tests", rows)?;
            }
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(&path).context(|| format!("cannot read {}", path.display()))?;
            rows.extend(rows_of_names(&text));
            if tables {
                rows.extend(text.split('"').filter(|text| is_row(text)).map(str::to_owned));
            }
        }
    }
    Ok(())
}

/// Rows in the names of the test functions of a source text.
fn rows_of_names(text: &str) -> Vec<String> {
    let mut rows = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            is_test |= line == "#[test]" || line.starts_with("#[tokio::test");
            continue;
        }
        if let (true, Some((_, name))) = (is_test, line.split_once("fn ")) {
            rows.extend(rows_of_name(name.split(['(', '<']).next().unwrap_or_default()));
        }
        is_test = false;
    }
    rows
}

fn rows_of_name(name: &str) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    let mut up_to = false;
    for part in name.split('_') {
        let part = part.to_ascii_uppercase();
        if is_row(&part) {
            match rows.last().filter(|_| up_to) {
                Some(first) => rows.extend(between(first, &part)),
                None => rows.push(part),
            }
            up_to = false;
        } else if !rows.is_empty() && part == "TO" {
            up_to = true;
        } else if rows.is_empty() || part != "AND" {
            break;
        }
    }
    rows
}

/// A letter or two, and a number.
fn is_row(text: &str) -> bool {
    let digits = text.trim_start_matches(|c: char| c.is_ascii_uppercase());
    let letters = text.len() - digits.len();
    (1..=2).contains(&letters) && number(digits).is_some()
}

fn number(digits: &str) -> Option<u8> {
    digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The rows behind `first`, up to and with `last`.
fn between(first: &str, last: &str) -> Vec<String> {
    let letters = first.trim_end_matches(|c: char| c.is_ascii_digit());
    let of = |row: &str| number(row.strip_prefix(letters)?);
    match (of(first), of(last)) {
        (Some(first), Some(last)) => (first..=last).skip(1).map(|row| format!("{letters}{row}")).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_in_names_of_tests_alone() {
        let text = "#[test]\nfn a18_to_a20_selection() {}\n\
                    fn a1_helper() {}\n\
                    #[tokio::test(start_paused = true)]\nasync fn e2_and_e8_hold() {}\n\
                    #[test]\n#[ignore]\nfn jr9_jr19_to_jr21_and_more_j1() {}\n\
                    #[test]\nfn table_3_3_scalars() {}\n#[test]\nfn a_to_b() {}\n";
        let found = ["A18", "A19", "A20", "E2", "E8", "JR9", "JR19", "JR20", "JR21"];
        assert_eq!(rows_of_names(text), found);
    }

    #[test]
    fn lists_say_what_each_section_has() {
        let list = "# of the cases\nsection 2\nC1 C2\nC3\nsection 4\nA1 A2\n- A3 A4: there is no leader\n";
        let rows = ConformanceRows::of(list, "4");
        assert_eq!((rows.count(), ConformanceRows::of(list, "2").count()), (4, 3));
        let tested = |rows: &[&str]| rows.iter().map(|&row| row.to_owned()).collect();
        assert_eq!(rows.complaints(&tested(&["A1", "A2", "C1"])), Vec::<String>::new());
        assert_eq!(
            rows.complaints(&tested(&["A2", "A4"])),
            ["A1 has no test", "A4 has a test; it was to have none: there is no leader"]
        );
    }
}

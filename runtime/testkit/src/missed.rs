//! Tests that could not run, named in the closing lines of the run so that nobody takes them for passed.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::Write as _;

use crate::environment::{REPORT, REQUIRE_REAL, get, requires_real};
use crate::failure::fail;
use crate::kafka::Unavailable;
use crate::progress::say;

/// Notes that `test` did not run for want of something; without a run to tell, or if that fails, says it at once.
pub(crate) fn miss(test: &str, want: &str) {
    let noted = get(REPORT).is_some_and(|path| {
        let file = OpenOptions::new().create(true).append(true).open(path);
        file.and_then(|mut file| file.write_all(format!("{want}\t{test}\n").as_bytes())).is_ok()
    });
    if !noted {
        say(&format!("NOT RUN for want of {want}: {test}"));
    }
}

/// Says that `test` cannot run on this machine for want of `want`: in the closing lines of the run.
///
/// # Panics
/// With `LAVKA_REQUIRE_REAL=1`, which continuous integration sets: there every test has what it needs.
pub fn cannot_run(test: &str, want: &str) {
    assert!(!requires_real(), "{REQUIRE_REAL} is set, and {test} cannot run for want of {want}");
    miss(test, want);
}

/// What `test` wants, if it is to be had. Where this machine cannot have it, `None`, and [`cannot_run`] says so, with `want`
/// and the reason.
///
/// # Panics
/// As [`cannot_run`], and where something is missing or in the way that can be mended: with what to do.
#[track_caller]
pub fn had<T>(found: Result<T, impl Borrow<Unavailable>>, test: &str, want: &str) -> Option<T> {
    let unavailable = match found {
        Ok(found) => return Some(found),
        Err(unavailable) => unavailable,
    };
    match unavailable.borrow() {
        Unavailable::Unresolvable(failure) => cannot_run(test, &format!("{want}: {failure}")),
        Unavailable::Broken(failure) => fail(failure.clone()),
    }
    None
}

/// Says what the notes of a run are, a line for each want.
pub(crate) fn say_missed(notes: &str) {
    let mut wants: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (want, test) in notes.lines().filter_map(|line| line.split_once('\t')) {
        wants.entry(want).or_default().insert(test);
    }
    for (want, tests) in wants {
        let names: Vec<&str> = tests.into_iter().collect();
        say(&format!("NOT RUN for want of {want}, {}: {}", names.len(), names.join(", ")));
    }
}

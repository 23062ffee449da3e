//! Rules are looked at one after the other; what is found becomes a report.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use lavka_api::plugin::Plugin;
use tokio::runtime::Runtime;

use crate::failure::fail;

/// Something that a plugin does against a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The rule.
    pub rule: &'static str,
    /// What was found.
    pub found: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.found)
    }
}

/// What the suite has to say about a plugin.
#[derive(Clone, Debug)]
#[must_use = "a report that nobody looks at passes: end with assert_clean()"]
pub struct Report {
    class: &'static str,
    rules: Vec<&'static str>,
    faults: Vec<Fault>,
}

impl Report {
    /// The rules that were looked at, in order.
    #[must_use]
    pub fn rules(&self) -> &[&'static str] {
        &self.rules
    }

    /// What was found against them.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Fails the test with every fault, if there is one.
    #[track_caller]
    pub fn assert_clean(&self) {
        if !self.faults.is_empty() {
            let lines: String = self.faults.iter().map(|fault| format!("\n- {fault}")).collect();
            let (faults, rules) = (self.faults.len(), self.rules.len());
            fail(format!("{}: {faults} faults by {rules} rules{lines}", self.class));
        }
    }
}

/// A report in the making, and the runtime that plugins run on.
pub(super) struct Suite {
    report: Report,
    runtime: Runtime,
}

impl Suite {
    #[track_caller]
    pub(super) fn new(plugin: &Plugin) -> Self {
        // As in a worker: a plugin may rely on more than one thread.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.unwrap_or_else(|error| fail(format!("no runtime for the checks: {error}")));
        Self { report: Report { class: plugin.class, rules: Vec::new(), faults: Vec::new() }, runtime }
    }

    /// Looks at a rule. A panic is a finding like any other.
    pub(super) fn look<F: IntoIterator<Item = String>>(
        &mut self,
        rule: &'static str,
        look: impl FnOnce(&Runtime) -> F,
    ) {
        let found = catch_unwind(AssertUnwindSafe(|| look(&self.runtime).into_iter().collect::<Vec<_>>()));
        let found = found.unwrap_or_else(|panic| vec![panic_text(&*panic)]);
        self.report.rules.push(rule);
        self.report.faults.extend(found.into_iter().map(|found| Fault { rule, found }));
    }

    /// Looks at a rule by doing something up to its first fault.
    pub(super) fn run(&mut self, rule: &'static str, run: impl Future<Output = Result<(), String>>) {
        self.look(rule, |runtime| runtime.block_on(run).err());
    }

    /// Does what later rules need, which is a rule too; `None` after a fault.
    pub(super) fn get<T>(
        &mut self,
        rule: &'static str,
        run: impl Future<Output = Result<T, String>>,
    ) -> Option<T> {
        let mut got = None;
        self.look(rule, |runtime| match runtime.block_on(run) {
            Ok(value) => {
                got = Some(value);
                None
            }
            Err(found) => Some(found),
        });
        got
    }

    pub(super) fn finish(self) -> Report {
        // A plugin that hangs in a blocking thread is reported already.
        self.runtime.shutdown_background();
        self.report
    }
}

/// What `work` panics with, if it does.
pub(super) fn panic_of(work: impl FnOnce()) -> Option<String> {
    catch_unwind(AssertUnwindSafe(work)).err().map(|panic| panic_text(&*panic))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("it panicked: {}", text.unwrap_or_default())
}

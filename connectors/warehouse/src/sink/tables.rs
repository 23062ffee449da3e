//! Targets of plans: tables looked up, made and given the columns that they lack.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lavka_api::{Error, Result};

use crate::data::{PlanColumn, RowPlan};
use crate::dialect::Statements;
use crate::driver::{Failure, FailureKind, Session, Target};
use crate::settings::SinkSettings;
use crate::table::{Table, TableId, TableKind};

/// Targets that are kept at most.
const MAX_TARGETS: usize = 4096;
/// How often making a table or column is tried while other tasks do the same.
const TRIES: usize = 4;

static NEXT_TARGET: AtomicU64 = AtomicU64::new(1);

/// Why there is no target.
#[derive(Debug)]
pub(super) enum NoTarget {
    /// The database said so.
    Failed(Failure),
    /// The records of the plan cannot be written, or the user has to do something.
    Refused(Error),
}

impl From<Failure> for NoTarget {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// A plan and where its rows go.
type Planned = (Arc<RowPlan>, Arc<Target>);

/// What is known of tables.
#[derive(Debug)]
pub(super) struct Tables {
    settings: Arc<SinkSettings>,
    described: HashMap<Arc<str>, Table>,
    /// By table, the plan's address, and whether there are the columns of the key alone; the plan is held so that its
    /// address stays its own.
    targets: HashMap<(Arc<str>, usize, bool), Planned>,
}

impl Tables {
    pub(super) fn new(settings: Arc<SinkSettings>) -> Self {
        Self { settings, described: HashMap::new(), targets: HashMap::new() }
    }

    /// Forgets everything, so that tables are looked up again.
    pub(super) fn forget(&mut self) {
        self.described.clear();
        self.targets.clear();
    }

    /// The target of a plan of writes, if it has been looked up.
    pub(super) fn known(&self, name: &Arc<str>, plan: &Arc<RowPlan>) -> Option<Arc<Target>> {
        let key = (name.clone(), Arc::as_ptr(plan).addr(), false);
        self.targets.get(&key).map(|(_, target)| target.clone())
    }

    /// The target of a plan; of deletes, the columns of the key are enough. `None` where there is nothing to delete from.
    pub(super) async fn target(
        &mut self,
        session: &mut dyn Session,
        name: &Arc<str>,
        plan: &Arc<RowPlan>,
        keys_only: bool,
    ) -> Result<Option<Arc<Target>>, NoTarget> {
        let key = (name.clone(), Arc::as_ptr(plan).addr(), keys_only);
        if let Some((_, target)) = self.targets.get(&key) {
            return Ok(Some(target.clone()));
        }
        let wanted: Vec<&PlanColumn> =
            plan.columns.iter().take(if keys_only { plan.keys } else { usize::MAX }).collect();
        let Some(table) = self.ready(session, name, plan, &wanted, keys_only).await? else { return Ok(None) };
        let columns = wanted.iter().filter_map(|wanted| table.column(&wanted.name).cloned()).collect();
        let target = Arc::new(Target {
            id: NEXT_TARGET.fetch_add(1, Ordering::Relaxed),
            table: table.id.clone(),
            view: table.kind == TableKind::View,
            columns,
            keys: plan.keys,
            clock: self.settings.rules.clock.clone(),
            statements: self.settings.statements,
        });
        if self.targets.len() >= MAX_TARGETS {
            self.targets.clear();
        }
        self.targets.insert(key, (plan.clone(), target.clone()));
        Ok(Some(target))
    }

    /// The table with all columns that are wanted.
    async fn ready(
        &mut self,
        session: &mut dyn Session,
        name: &Arc<str>,
        plan: &RowPlan,
        wanted: &[&PlanColumn],
        keys_only: bool,
    ) -> Result<Option<Table>, NoTarget> {
        let settings = self.settings.clone();
        let statements = &settings.statements;
        let id = TableId::parse(name, statements.dialect.quote());
        for attempt in 1..=TRIES {
            let fresh = attempt > 1;
            let table = self.describe(session, name, &id, fresh).await?;
            let ddl = match &table {
                None if keys_only && settings.create => return Ok(None),
                None if !settings.create => {
                    return Err(NoTarget::Refused(Error::fatal(format!(
                        "Table {id} is missing and auto-creation is disabled. Create it, or set {}",
                        settings.creation_key()
                    ))));
                }
                None => {
                    let specs = plan.specs(&settings.rules, settings.types).map_err(NoTarget::Refused)?;
                    let names = specs.iter().map(|spec| spec.name.as_str()).chain([id.table()]);
                    check_names(statements, names)?;
                    vec![statements.create_table(&id, &specs)]
                }
                Some(table) => {
                    let missing: Vec<&PlanColumn> = wanted
                        .iter()
                        .copied()
                        .filter(|wanted| table.column(&wanted.name).is_none())
                        .collect();
                    if missing.is_empty() {
                        return Ok(Some(table.clone()));
                    }
                    // What was described before may be old.
                    if !fresh {
                        continue;
                    }
                    let additions = self.additions(table, plan, &missing)?;
                    check_names(statements, additions.iter().map(|spec| spec.name.as_str()))?;
                    statements.add_columns(&table.id, &additions)
                }
            };
            for statement in ddl {
                tracing::info!("changing the database: {statement}");
                match session.execute(&statement).await {
                    Ok(_) => {}
                    // Another task was faster.
                    Err(failure)
                        if failure.kind == FailureKind::Exists || failure.kind == FailureKind::Row => {}
                    Err(failure) if failure.kind.passes() => return Err(failure.into()),
                    Err(failure) => {
                        return Err(NoTarget::Failed(
                            failure.at(&format!("changing table {id} ({statement})")),
                        ));
                    }
                }
            }
            self.described.remove(name);
        }
        let table = self.describe(session, name, &id, true).await?;
        match table {
            Some(table) if wanted.iter().all(|wanted| table.column(&wanted.name).is_some()) => {
                Ok(Some(table))
            }
            _ => Err(NoTarget::Refused(Error::fatal(format!(
                "Table {id} still lacks columns after they were added: {}",
                names(wanted)
            )))),
        }
    }

    /// The columns to be added.
    fn additions(
        &self,
        table: &Table,
        plan: &RowPlan,
        missing: &[&PlanColumn],
    ) -> Result<Vec<crate::dialect::ColumnSpec>, NoTarget> {
        let settings = &self.settings;
        if !settings.evolve {
            return Err(NoTarget::Refused(Error::fatal(format!(
                "Table {} is missing fields ({}) and auto-evolution is disabled. Add the columns, or set {}",
                table.id,
                names(missing),
                settings.evolution_key()
            ))));
        }
        let specs = missing.iter().map(|column| {
            let spec = plan.spec(column, &settings.rules, settings.types)?;
            if !spec.optional && spec.default.is_none() {
                return Err(Error::fatal(format!(
                    "Cannot ALTER {} {} to add missing field {}, as the field is not optional and does not have a default \
                     value",
                    table.kind.word().to_uppercase(),
                    table.id,
                    column.name
                )));
            }
            Ok(spec)
        });
        specs.collect::<Result<_>>().map_err(NoTarget::Refused)
    }

    async fn describe(
        &mut self,
        session: &mut dyn Session,
        name: &Arc<str>,
        id: &TableId,
        fresh: bool,
    ) -> Result<Option<Table>, NoTarget> {
        if let Some(table) = self.described.get(name).filter(|_| !fresh) {
            return Ok(Some(table.clone()));
        }
        let written = self.settings.statements.new_table(id);
        let found = session
            .describe(id, &written)
            .await
            .map_err(|failure| failure.at(&format!("looking up table {id}")))?;
        let Some(table) = found else { return Ok(None) };
        let kinds = &self.settings.table_types;
        if !table.kind.is_among(kinds) {
            return Err(NoTarget::Refused(Error::fatal(format!(
                "{} is a {}, and table.types allows {} alone",
                table.id,
                table.kind.word(),
                kinds.join(", ")
            ))));
        }
        self.described.insert(name.clone(), table.clone());
        Ok(Some(table))
    }
}

/// Names that are too long would be cut, or refused in words of the database's.
fn check_names<'n>(statements: &Statements, names: impl Iterator<Item = &'n str>) -> Result<(), NoTarget> {
    for name in names {
        statements.dialect.check_name(name).map_err(|why| NoTarget::Refused(Error::data(why)))?;
    }
    Ok(())
}

fn names(columns: &[&PlanColumn]) -> String {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    names.join(", ")
}

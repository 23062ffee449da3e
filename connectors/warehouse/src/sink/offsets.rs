//! Offsets in the database, written in the transaction that writes the rows.
//!
//! A row of the table says for a connector and a partition which record comes next. It is changed only from the value that
//! this task knows: where another task has moved it since, that one holds the partition now, and this one's transaction is
//! rolled back.

use std::collections::BTreeMap;

use lavka_api::data::TopicPartition;
use lavka_api::plugin::Offsets;

use crate::data::Cell;
use crate::dialect::{ColumnSpec, Statements};
use crate::driver::{Failure, FailureKind, Session, query};
use crate::table::TableId;

/// The columns of the key, and the offset.
const COLUMNS: [&str; 4] = ["connector", "kafka_topic", "kafka_partition", "next_offset"];

/// The offsets of one connector.
#[derive(Debug)]
pub(super) struct OffsetTable {
    table: TableId,
    statements: Statements,
    connector: String,
    /// As the database has them, as far as this task knows. `None`: no row yet.
    known: BTreeMap<TopicPartition, Option<i64>>,
    made: bool,
}

impl OffsetTable {
    pub(super) fn new(name: &str, statements: Statements, connector: &str) -> Self {
        Self {
            table: TableId::parse(name, statements.dialect.quote()),
            statements,
            connector: connector.to_owned(),
            known: BTreeMap::new(),
            made: false,
        }
    }

    /// What is known may be old: it is read again before it is used.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    /// Partitions that are not this task's any more.
    pub(super) fn close(&mut self, partitions: &[TopicPartition]) {
        partitions.iter().for_each(|partition| {
            self.known.remove(partition);
        });
    }

    /// Whether it is known what the database has for a partition.
    pub(super) fn knows(&self, partition: &TopicPartition) -> bool {
        self.known.contains_key(partition)
    }

    /// The next offset of a partition, if the database has one.
    pub(super) fn next(&self, partition: &TopicPartition) -> Option<i64> {
        self.known.get(partition).copied().flatten()
    }

    /// Reads the offsets of those partitions that are not known.
    pub(super) async fn read(
        &mut self,
        session: &mut dyn Session,
        partitions: impl Iterator<Item = &TopicPartition>,
    ) -> Result<(), Failure> {
        self.make(session).await?;
        for partition in partitions {
            if self.known.contains_key(partition) {
                continue;
            }
            let [.., next] = COLUMNS.map(|name| self.statements.quoted(name));
            let sql = format!(
                "SELECT {next} FROM {} WHERE {}",
                self.statements.new_table(&self.table),
                self.condition()
            );
            let rows = query(session, &sql, &self.key(partition), 1).await?;
            let offset = match rows.first().and_then(|row| row.first()) {
                Some(Cell::Int(offset)) => Some(*offset),
                _ => None,
            };
            self.known.insert(partition.clone(), offset);
        }
        Ok(())
    }

    async fn make(&mut self, session: &mut dyn Session) -> Result<(), Failure> {
        if self.made {
            return Ok(());
        }
        let written = self.statements.new_table(&self.table);
        if session.describe(&self.table, &written).await?.is_none() {
            let spec = |name: &str, ty: &str, key| ColumnSpec {
                name: name.to_owned(),
                ty: ty.to_owned(),
                optional: false,
                default: None,
                key,
            };
            let [connector, topic, partition, next] = COLUMNS;
            let columns = [
                spec(connector, "VARCHAR(255)", true),
                spec(topic, "VARCHAR(249)", true),
                spec(partition, "INTEGER", true),
                spec(next, "BIGINT", false),
            ];
            let sql = self.statements.create_table(&self.table, &columns);
            match session.execute(&sql).await {
                Ok(_) => {}
                // Another task was faster.
                Err(failure) if matches!(failure.kind, FailureKind::Exists | FailureKind::Row) => {}
                Err(failure) => {
                    return Err(failure
                        .at(&format!("making the table of offsets {} (lavka.offsets.table)", self.table)));
                }
            }
        }
        self.made = true;
        Ok(())
    }

    /// Moves the offsets within the transaction.
    ///
    /// # Errors
    /// Among others, where another task has moved one.
    pub(super) async fn write(&self, session: &mut dyn Session, next: &Offsets) -> Result<(), Failure> {
        let table = self.statements.new_table(&self.table);
        let names = COLUMNS.map(|name| self.statements.quoted(name));
        for (partition, offset) in next {
            let mut values = self.key(partition);
            let moved = match self.next(partition) {
                Some(known) => {
                    values.insert(0, Cell::Int(*offset));
                    values.push(Cell::Int(known));
                    let [.., column] = &names;
                    let sql = format!(
                        "UPDATE {table} SET {column} = ? WHERE {} AND {column} = ?",
                        self.condition()
                    );
                    session.run(&sql, &values).await? == 1
                }
                None => {
                    values.push(Cell::Int(*offset));
                    let sql = format!("INSERT INTO {table} ({}) VALUES (?,?,?,?)", names.join(","));
                    match session.run(&sql, &values).await {
                        Ok(_) => true,
                        Err(failure) if failure.kind == FailureKind::Row => false,
                        Err(failure) => return Err(failure),
                    }
                }
            };
            if !moved {
                return Err(Failure::new(
                    FailureKind::Again,
                    format!(
                        "the offset of {partition} in {} was moved by another task of the connector {}, which holds the \
                         partition now",
                        self.table, self.connector
                    ),
                ));
            }
        }
        Ok(())
    }

    /// The transaction of [`write`](Self::write) was committed.
    pub(super) fn committed(&mut self, next: &Offsets) {
        for (partition, offset) in next {
            self.known.insert(partition.clone(), Some(*offset));
        }
    }

    /// Sets offsets as the user wants them; `None` deletes.
    pub(super) async fn alter(
        &mut self,
        session: &mut dyn Session,
        offsets: &[(TopicPartition, Option<i64>)],
    ) -> Result<(), Failure> {
        self.make(session).await?;
        let table = self.statements.new_table(&self.table);
        let names = COLUMNS.map(|name| self.statements.quoted(name)).join(",");
        session.begin().await?;
        for (partition, offset) in offsets {
            let mut values = self.key(partition);
            session.run(&format!("DELETE FROM {table} WHERE {}", self.condition()), &values).await?;
            if let Some(offset) = offset {
                values.push(Cell::Int(*offset));
                session.run(&format!("INSERT INTO {table} ({names}) VALUES (?,?,?,?)"), &values).await?;
            }
        }
        session.commit().await
    }

    fn condition(&self) -> String {
        let [connector, topic, partition, _] = COLUMNS.map(|name| self.statements.quoted(name));
        format!("{connector} = ? AND {topic} = ? AND {partition} = ?")
    }

    fn key(&self, partition: &TopicPartition) -> Vec<Cell<'static>> {
        vec![
            Cell::Text(self.connector.clone().into()),
            Cell::Text(partition.topic.as_str().to_owned().into()),
            Cell::Int(partition.partition.into()),
        ]
    }
}

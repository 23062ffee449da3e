//! What is still to be told to the metastore, and telling it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use lavka_api::data::Schema;
use lavka_api::{Error, Result};

use super::metastore::{Metastore, Servers};
use super::table::TableForm;
use super::thrift::Fields;
use crate::lake::Lake;
use crate::store::LakePath;
use crate::topic_dirs::TopicDirs;

/// Partitions of a table that are remembered; beyond that some are told twice, which changes nothing.
const MAX_REMEMBERED: usize = 100_000;

/// `hive.*`, checked.
#[derive(Debug, Clone)]
pub(crate) struct HiveSettings {
    pub(crate) servers: Servers,
    /// `hive.table.name`, with `${topic}` in it.
    pub(crate) table_name: String,
    /// The URL of the store, without a slash at its end.
    pub(crate) root: String,
    /// Where the directories of topics are in it.
    pub(crate) dirs: TopicDirs,
    pub(crate) form: TableForm,
}

impl HiveSettings {
    /// The table of a topic. A dot would separate a database from a table, so it becomes an underscore.
    fn table(&self, topic: &str) -> String {
        self.table_name.replace("${topic}", topic).replace('.', "_")
    }

    /// The URL of a topic's directory.
    fn location(&self, topic: &str) -> Result<String> {
        Ok(format!("{}/{}", self.root, self.dirs.topics(topic)?.join(topic)?).replace("/./", "/"))
    }
}

/// Files that were finished in one directory.
#[derive(Debug, Clone)]
pub(crate) struct Finished {
    /// `<topic>/<encoded partition>`.
    pub(crate) place: Arc<str>,
    pub(crate) schema: Option<Schema>,
}

#[derive(Debug)]
enum Errand {
    /// Compare the directories of a topic with the partitions of its table.
    Compare(String),
    Tell(Finished),
}

/// What the metastore is known to have of a topic.
#[derive(Debug, Default)]
struct Known {
    /// The schema that the table was last made to fit.
    schema: Option<Schema>,
    table: Option<Fields>,
    partitions: HashSet<String>,
}

/// Tells the metastore what was finished, in the order in which it was.
#[derive(Debug)]
pub(crate) struct Registrar {
    settings: HiveSettings,
    metastore: Metastore,
    known: HashMap<String, Known>,
    errands: VecDeque<Errand>,
    /// Not before this time.
    due: i64,
}

impl Registrar {
    pub(crate) fn new(settings: HiveSettings) -> Self {
        let metastore = Metastore::new(settings.servers.clone());
        Self { settings, metastore, known: HashMap::new(), errands: VecDeque::new(), due: i64::MIN }
    }

    /// A partition of `topic` was taken over: files may have been finished without the metastore having been told.
    pub(crate) fn opened(&mut self, topic: &str) {
        if !self.known.contains_key(topic) {
            self.known.insert(topic.to_owned(), Known::default());
            self.errands.push_back(Errand::Compare(topic.to_owned()));
        }
    }

    /// Notes what is to be told. A directory and schema that the metastore knows is no errand.
    pub(crate) fn finished(&mut self, finished: Finished) {
        let Some((topic, partition)) = finished.place.split_once('/') else { return };
        let is_known = self
            .known
            .get(topic)
            .is_some_and(|known| known.schema == finished.schema && known.partitions.contains(partition));
        let waits = self.errands.iter().any(|errand| match errand {
            Errand::Tell(other) => other.place == finished.place && other.schema == finished.schema,
            Errand::Compare(_) => false,
        });
        if !is_known && !waits {
            self.errands.push_back(Errand::Tell(finished));
        }
    }

    /// Tells what is to be told. What fails for the moment is tried again after `backoff_ms`; the files stay readable by
    /// their directories meanwhile.
    ///
    /// # Errors
    /// What does not pass by itself: the metastore refuses a table, or is none.
    pub(crate) async fn advance(&mut self, lake: &Lake, now: i64, backoff_ms: u64) -> Result<()> {
        if now < self.due {
            return Ok(());
        }
        while let Some(errand) = self.errands.front() {
            let outcome = match errand {
                Errand::Compare(topic) => {
                    let topic = topic.clone();
                    self.compare(lake, &topic).await
                }
                Errand::Tell(finished) => {
                    let finished = finished.clone();
                    self.tell(&finished).await
                }
            };
            match outcome {
                Ok(()) => drop(self.errands.pop_front()),
                Err(error) if error.is_retriable() => {
                    tracing::warn!("{error}; {} partitions wait to be registered", self.errands.len());
                    self.due = now.saturating_add_unsigned(backoff_ms);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Adds the partitions of directories that have files and that the table does not have. Without a table there is
    /// nothing to compare: it is created with the next file.
    async fn compare(&mut self, lake: &Lake, topic: &str) -> Result<()> {
        let (database, name) = (self.settings.form.database.clone(), self.settings.table(topic));
        let Some(table) = self.metastore.table(&database, &name).await? else { return Ok(()) };
        let listed = self.metastore.partitions(&database, &name).await?;
        let root = lake.topic_dir(topic)?;
        let mut directories: Vec<String> =
            lake.store.list(&root).await?.iter().filter_map(|path| directory_of(path, &root)).collect();
        directories.sort();
        directories.dedup();
        let known = self.known.entry(topic.to_owned()).or_default();
        known.table = Some(table);
        known.partitions.extend(listed);
        for directory in directories {
            self.add(topic, &directory).await?;
        }
        Ok(())
    }

    async fn tell(&mut self, finished: &Finished) -> Result<()> {
        let Some((topic, partition)) = finished.place.split_once('/') else { return Ok(()) };
        let known = self.known.entry(topic.to_owned()).or_default();
        if known.table.is_none() || known.schema != finished.schema {
            let Some(schema) = &finished.schema else {
                return Err(Error::config(format!(
                    "the records of {topic} have no schema, from which hive.integration makes the table; use a \
                     converter that gives them one"
                )));
            };
            self.fit_table(topic, schema).await?;
        }
        self.add(topic, partition).await
    }

    /// Creates the table of a topic, or makes it fit for `schema`.
    async fn fit_table(&mut self, topic: &str, schema: &Schema) -> Result<()> {
        let form = &self.settings.form;
        let (database, name) = (form.database.clone(), self.settings.table(topic));
        let mut table = match self.metastore.table(&database, &name).await? {
            Some(table) => table,
            None => {
                let location = self.settings.location(topic)?;
                let table = form.create(&name, &location, schema)?;
                self.metastore.create_table(table).await?;
                tracing::info!("created the table {database}.{name} over {location}");
                // The metastore fills in what was left out.
                self.metastore.table(&database, &name).await?.ok_or_else(|| {
                    Error::retriable(format!("the table {database}.{name} is gone as soon as it is there"))
                })?
            }
        };
        if let Some(altered) = form.alter(table.clone(), schema)? {
            self.metastore.alter_table(&database, &name, altered.clone()).await?;
            tracing::info!("altered the table {database}.{name} for a new schema");
            table = altered;
        }
        let known = self.known.entry(topic.to_owned()).or_default();
        known.schema = Some(schema.clone());
        known.table = Some(table);
        Ok(())
    }

    async fn add(&mut self, topic: &str, partition: &str) -> Result<()> {
        let (form, name) = (&self.settings.form, self.settings.table(topic));
        let Some(known) = self.known.get_mut(topic) else { return Ok(()) };
        if known.partitions.contains(partition) {
            return Ok(());
        }
        let Some(table) = &known.table else { return Ok(()) };
        let location = format!("{}/{partition}", self.settings.location(topic)?);
        match form.partition(table, partition, &location) {
            Some(fields) => {
                self.metastore.add_partition(&format!("{}.{name}", form.database), fields).await?;
            }
            None => tracing::warn!(
                "{location} is no partition of the table {}.{name}: its directories are not those of {}",
                form.database,
                form.partition_columns.join("/")
            ),
        }
        if known.partitions.len() >= MAX_REMEMBERED {
            known.partitions.clear();
        }
        known.partitions.insert(partition.to_owned());
        Ok(())
    }
}

/// The directory, below `root`, of a file.
fn directory_of(path: &LakePath, root: &LakePath) -> Option<String> {
    let (directory, _) = path.as_str().rsplit_once('/')?;
    Some(directory.strip_prefix(root.as_str())?.trim_matches('/').to_owned()).filter(|text| !text.is_empty())
}

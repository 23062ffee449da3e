//! Where everything of a topic partition lies in the store.

use std::sync::Arc;

use lavka_api::data::TopicPartition;
use lavka_api::{Error, Result};

use crate::companions::View;
use crate::file_name::FileName;
use crate::naming::Naming;
use crate::settings::Settings;
use crate::store::{LakePath, LakeStore, LogForm};

/// Where a finished file goes.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// Into this directory, under a name with its offsets.
    Directory(LakePath),
    /// Under this name.
    File(LakePath),
}

/// The store and the rules for names in it; cloning copies pointers.
#[derive(Debug, Clone)]
pub(crate) struct Lake {
    pub(crate) store: Arc<dyn LakeStore>,
    pub(crate) settings: Arc<Settings>,
}

impl Lake {
    /// The directory of a topic's finished files.
    pub(crate) fn topic_dir(&self, topic: &str) -> Result<LakePath> {
        self.settings.dirs.topics(topic)?.join(topic)
    }

    /// Above the directories of a topic's unfinished files.
    fn temp_root(&self, topic: &str) -> Result<LakePath> {
        self.settings.dirs.topics(topic)?.join("+tmp")
    }

    /// The directory of a partition's unfinished files: whoever has the partition's lease owns all that is in it.
    pub(crate) fn temp_dir(&self, tp: &TopicPartition) -> Result<LakePath> {
        self.temp_root(&tp.topic)?.join(&format!("{}/{}", tp.topic, tp.partition))
    }

    /// Where the finished files of `tp` are that `place` (`<topic>/<encoded partition>`, or a name from a template, which
    /// come from records) stands for.
    ///
    /// # Errors
    /// A data error where no file of `tp` can have its name there: everything that could go wrong with the name has to
    /// go wrong before a commit with it is logged.
    pub(crate) fn target(&self, tp: &TopicPartition, place: &str) -> Result<Target> {
        if let Naming::Template(_) = self.settings.naming {
            let path = LakePath::new(place)?;
            if path.is_within(&self.settings.dirs.topics(&tp.topic)?) {
                return Err(Error::data(format!(
                    "{path} is in the directory of unfinished files (lavka.state.dir)"
                )));
            }
            self.store.check_name(&path)?;
            return Ok(Target::File(path));
        }
        let directory = self.settings.dirs.topics(&tp.topic)?.join(place)?;
        if directory.is_within(&self.temp_root(&tp.topic)?) {
            return Err(Error::data(format!("{directory} is the directory of unfinished files")));
        }
        self.store.check_name(&directory.join(&self.longest_name(tp)?)?)?;
        Ok(Target::Directory(directory))
    }

    /// The longest name without an epoch, for which offsets below 10^13 leave room.
    fn longest_name(&self, tp: &TopicPartition) -> Result<String> {
        if let Naming::Template(names) = &self.settings.naming {
            return names.template.longest(tp);
        }
        let longest = FileName {
            topic: &tp.topic,
            partition: tp.partition,
            start: i64::MAX,
            end: i64::MAX,
            epoch: None,
        };
        let views = [View::Value, View::Key, View::Headers];
        let extensions = views.into_iter().filter_map(|view| self.settings.extension(view));
        let extension = extensions.max_by_key(String::len).unwrap_or_default();
        Ok(self.settings.naming.text(&longest, self.settings.pad, &extension))
    }

    /// Checks that the names of a partition's finished files are possible at all.
    ///
    /// # Errors
    /// Where the topic's name is too long for them.
    pub(crate) fn check_names(&self, tp: &TopicPartition) -> Result<()> {
        self.longest_name(tp).and_then(|name| LakePath::new(&name)).map(drop).map_err(|_| {
            Error::fatal(format!(
                "{tp}: the topic's name is too long for the names of its files, which have the topic, the partition \
                 and two offsets in 255 bytes"
            ))
        })
    }

    fn log_dir(&self, tp: &TopicPartition) -> Result<LakePath> {
        self.settings.dirs.logs(&tp.topic)?.join(&format!("{}/{}", tp.topic, tp.partition))
    }

    /// The file that a partition's writer holds a lease on: in HDFS the log itself.
    pub(crate) fn lock(&self, tp: &TopicPartition) -> Result<LakePath> {
        match self.store.log_form() {
            LogForm::Lines | LogForm::Objects => self.log_dir(tp)?.join("lock"),
            LogForm::Hadoop { .. } => Ok(self.logs(tp)?.0),
        }
    }

    /// The log of commits, and the one before it.
    pub(crate) fn logs(&self, tp: &TopicPartition) -> Result<(LakePath, LakePath)> {
        let dir = self.log_dir(tp)?;
        match self.store.log_form() {
            LogForm::Lines | LogForm::Objects => Ok((dir.join("commits")?, dir.join("commits.1")?)),
            // The names that the HDFS sink gives them.
            LogForm::Hadoop { .. } => Ok((dir.join("log")?, dir.join("log.1")?)),
        }
    }

    /// The directory of commits that are objects of their own.
    pub(crate) fn commits(&self, tp: &TopicPartition) -> Result<LakePath> {
        self.log_dir(tp)?.join("commits")
    }
}

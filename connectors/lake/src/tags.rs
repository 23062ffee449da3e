//! What finished objects are tagged with (`s3.object.tagging`).

use lavka_api::Result;

use crate::lake::Lake;
use crate::open_file::OpenFile;
use crate::store::LakePath;

/// `s3.object.tagging`, with what goes along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tagging {
    /// `s3.object.tagging.key.value.pairs`.
    pub(crate) extra: Vec<(String, String)>,
    /// `s3.object.behavior.on.tagging.error=ignore`.
    pub(crate) ignores_errors: bool,
}

impl Tagging {
    /// The tags of the objects of a file, as the S3 sink has them; of two with the same name the configured one counts.
    pub(crate) fn tags(&self, file: &OpenFile) -> Vec<(String, String)> {
        let Some((start, end)) = file.offsets() else { return Vec::new() };
        let own = [
            ("startOffset", start.to_string()),
            ("endOffset", end.to_string()),
            ("recordCount", file.rows().to_string()),
        ];
        let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
        let mut tags: Vec<(String, String)> =
            own.filter(|(name, _)| self.extra.iter().all(|(extra, _)| extra != name)).collect();
        tags.extend(self.extra.iter().cloned());
        tags
    }

    /// Tags a finished object.
    ///
    /// # Errors
    /// Where the store fails, unless errors are ignored.
    pub(crate) async fn apply(&self, lake: &Lake, path: &LakePath, tags: &[(String, String)]) -> Result<()> {
        match lake.store.tag(path, tags).await {
            Err(error) if self.ignores_errors => {
                tracing::warn!("{error} (s3.object.behavior.on.tagging.error=ignore)");
                Ok(())
            }
            outcome => outcome,
        }
    }
}

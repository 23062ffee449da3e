//! Message fields of one message, collected while it is read: those that are there more than once are merged, which for
//! bytes means that they are put one behind the other.

/// A message field that was met.
#[derive(Clone, Copy)]
pub(super) struct Pending<'a> {
    /// Fields of which one replaces another, such as the members of a oneof, are a group.
    pub(super) group: u32,
    /// The position among the reader's fields.
    pub(super) field: usize,
    /// The message's fields; none where something that is no message took the group's place.
    pub(super) bytes: Option<&'a [u8]>,
}

#[derive(Default)]
pub(super) struct PendingMessages<'a> {
    /// The first ones, which are all that most messages have.
    few: [Option<Pending<'a>>; FEW],
    count: usize,
    /// All of them, once they are more.
    met: Vec<Pending<'a>>,
    /// Whether some group may have been met twice.
    again: bool,
}

/// So many are kept without memory of their own, and looked through for one of the same group.
const FEW: usize = 4;

impl<'a> PendingMessages<'a> {
    #[inline]
    pub(super) fn push(&mut self, pending: Pending<'a>) {
        if !self.again {
            let seen = self.few.iter().flatten().any(|met| met.group == pending.group);
            match self.few.get_mut(self.count) {
                Some(slot) if !seen => {
                    *slot = Some(pending);
                    self.count += 1;
                    return;
                }
                _ => self.spill(),
            }
        }
        self.met.push(pending);
    }

    #[cold]
    fn spill(&mut self) {
        self.again = true;
        self.met.extend(self.few.iter().flatten().copied());
    }

    /// Something that is no message took the place of the group's messages.
    #[inline]
    pub(super) fn reset(&mut self, group: u32, field: usize) {
        if self.count > 0 {
            self.push(Pending { group, field, bytes: None });
        }
    }

    /// Calls `found` with each field that counts in the end, and its fields.
    pub(super) fn finish<E>(mut self, mut found: impl FnMut(usize, &[u8]) -> Result<(), E>) -> Result<(), E> {
        if !self.again {
            return self.few.iter().flatten().try_for_each(|met| match met.bytes {
                Some(bytes) => found(met.field, bytes),
                None => Ok(()),
            });
        }
        // Stable: within a group the order stays.
        self.met.sort_by_key(|met| met.group);
        let mut rest = &self.met[..];
        while let Some(first) = rest.first() {
            let end = rest.iter().position(|met| met.group != first.group).unwrap_or(rest.len());
            let (group, others) = rest.split_at(end);
            rest = others;
            let Some(last) = group.last() else { continue };
            // The messages at the end that are of one field.
            let run =
                group.iter().rev().take_while(|met| met.field == last.field && met.bytes.is_some()).count();
            match group.get(group.len() - run..).unwrap_or_default() {
                [] => {}
                [one] => found(one.field, one.bytes.unwrap_or_default())?,
                many => {
                    let parts: Vec<&[u8]> = many.iter().filter_map(|met| met.bytes).collect();
                    found(last.field, &parts.concat())?;
                }
            }
        }
        Ok(())
    }
}

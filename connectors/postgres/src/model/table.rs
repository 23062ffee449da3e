//! Tables and their columns.

use std::fmt;

use lavka_api::data::Str;

/// Schema and name of a table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId {
    /// The schema (`pg_namespace.nspname`).
    pub schema: Str,
    /// The table's name (`pg_class.relname`).
    pub table: Str,
}

impl TableId {
    /// The table `table` in `schema`.
    pub fn new(schema: impl Into<Str>, table: impl Into<Str>) -> Self {
        Self { schema: schema.into(), table: table.into() }
    }
}

impl fmt::Display for TableId {
    /// `schema.table`, unquoted: what filters match and what offsets and transaction metadata name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

/// What a table sends of an old row (`pg_class.relreplident`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplicaIdentity {
    /// `d`: the primary key, where it changed.
    #[default]
    Default,
    /// `n`: nothing; the server refuses updates and deletes while the table is published.
    Nothing,
    /// `f`: the whole row.
    Full,
    /// `i`: the columns of an index.
    Index,
}

impl ReplicaIdentity {
    /// The identity of `relreplident` or of a Relation message's byte.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            b'd' => Self::Default,
            b'n' => Self::Nothing,
            b'f' => Self::Full,
            b'i' => Self::Index,
            _ => return None,
        })
    }

    /// The byte of `relreplident`.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Default => b'd',
            Self::Nothing => b'n',
            Self::Full => b'f',
            Self::Index => b'i',
        }
    }
}

/// A table as the catalogue has it now.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// `pg_class.oid`.
    pub oid: u32,
    /// Schema and name.
    pub id: TableId,
    /// The columns in order of `attnum`, dropped ones left out.
    pub columns: Vec<Column>,
    /// Names of the key columns in key order: the primary key's, else those of the first unique index without
    /// expressions; empty where there is none.
    pub key: Vec<Str>,
    /// What the table sends of old rows.
    pub replica_identity: ReplicaIdentity,
}

impl Table {
    /// The column `name`.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == *name)
    }
}

/// A column as the catalogue has it now.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// `pg_attribute.attname`.
    pub name: Str,
    /// `atttypid`; what it means is in the [`TypeCatalog`](super::TypeCatalog).
    pub type_oid: u32,
    /// `atttypmod`, -1 for none.
    pub type_modifier: i32,
    /// Whether it may be null (not `attnotnull`).
    pub optional: bool,
    /// The text of the default expression (`pg_get_expr(adbin, adrelid)`). Identity columns have none; of a generated one it is
    /// the expression.
    pub default: Option<Str>,
    /// Whether it is `GENERATED … STORED` (`attgenerated <> ''`): the stream leaves it out.
    pub generated: bool,
    /// The comment (`col_description`), where `include.schema.comments` wants it.
    pub comment: Option<Str>,
    /// `attnum`, from 1.
    pub position: i16,
}

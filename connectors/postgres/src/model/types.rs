//! The types of a database.

use std::collections::HashMap;

use lavka_api::data::Str;

/// What sort of type it is (`pg_type.typtype`, with arrays told apart by `typelem`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeKind {
    /// A base type: known by its object id or, for those of extensions, by its name.
    Base,
    /// An array of another type (`typelem`, where `typcategory` is `A`).
    Array {
        /// The object id of the elements' type.
        element: u32,
    },
    /// An enum, with its labels in their order (`pg_enum.enumsortorder`).
    Enum {
        /// The labels.
        labels: Vec<Str>,
    },
    /// A domain over another type.
    Domain {
        /// `typbasetype`, which may be a domain again.
        base: u32,
        /// `typtypmod`, -1 for none.
        modifier: i32,
    },
    /// A composite type (also the row type of a table).
    Composite,
    /// A range.
    Range,
    /// A multirange.
    Multirange,
    /// A pseudo type; no column has one.
    Pseudo,
}

/// A type of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PgType {
    /// `pg_type.oid`.
    pub oid: u32,
    /// `typname`: `int4`, `_int4`, `hstore`.
    pub name: Str,
    /// The schema it lives in.
    pub schema: Str,
    /// What sort of type it is.
    pub kind: TypeKind,
}

/// The types of a database by object id.
///
/// Filled from `pg_type`; an enum that gains a label and a type that is created later are put in again
/// ([`insert`](TypeCatalog::insert)) when a relation with an unknown type, or of a table that was altered, is announced.
#[derive(Clone, Debug, Default)]
pub struct TypeCatalog {
    by_oid: HashMap<u32, PgType>,
}

/// Domains over domains are followed this far; the server allows no cycle, a wrong catalogue might.
const MAX_DOMAINS: usize = 64;

impl TypeCatalog {
    /// A catalogue of `types`.
    #[must_use]
    pub fn new(types: impl IntoIterator<Item = PgType>) -> Self {
        Self { by_oid: types.into_iter().map(|ty| (ty.oid, ty)).collect() }
    }

    /// Adds a type or replaces the one of that object id.
    pub fn insert(&mut self, ty: PgType) {
        self.by_oid.insert(ty.oid, ty);
    }

    /// The type of that object id.
    #[must_use]
    pub fn get(&self, oid: u32) -> Option<&PgType> {
        self.by_oid.get(&oid)
    }

    /// The number of types.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_oid.len()
    }

    /// Whether no type is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_oid.is_empty()
    }

    /// The type that a column of type `oid` and modifier `modifier` really has: domains are followed to their base, whose
    /// modifier then counts.
    #[must_use]
    pub fn resolve(&self, oid: u32, modifier: i32) -> Option<(&PgType, i32)> {
        let mut modifier = modifier;
        let mut ty = self.get(oid)?;
        for _ in 0..MAX_DOMAINS {
            let TypeKind::Domain { base, modifier: own } = &ty.kind else { return Some((ty, modifier)) };
            if modifier < 0 {
                modifier = *own;
            }
            ty = self.get(*base)?;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(oid: u32, base: u32, modifier: i32) -> PgType {
        let kind = TypeKind::Domain { base, modifier };
        PgType { oid, name: "d".into(), schema: "public".into(), kind }
    }

    #[test]
    fn domains_lead_to_their_base() {
        let numeric =
            PgType { oid: 1700, name: "numeric".into(), schema: "pg_catalog".into(), kind: TypeKind::Base };
        let types = TypeCatalog::new([numeric, domain(1, 1700, 524_295), domain(2, 1, -1), domain(3, 3, -1)]);
        let (ty, modifier) = types.resolve(2, -1).unwrap();
        assert_eq!((&*ty.name, modifier), ("numeric", 524_295));
        assert_eq!(types.resolve(3, -1), None, "a cycle ends");
        assert_eq!(types.resolve(4, -1), None);
    }
}

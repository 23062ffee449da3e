//! Where a value is read to.

/// Where a value is read to, for judging nulls that come from values of a wrong type: Java refuses them only once they
/// are put into a struct, or set as a default.
#[derive(Clone, Copy)]
pub(super) enum Place<'p> {
    /// The payload: such nulls pass.
    Payload,
    /// The default of a schema.
    Default,
    /// A field of a struct.
    Field(&'p str),
    /// An element of an array.
    Element(&'p Place<'p>),
    /// A key of a map.
    Key(&'p Place<'p>),
    /// A value of a map.
    Item(&'p Place<'p>),
}

impl Place<'_> {
    /// Whether the value ends up where Java checks it.
    pub(super) fn is_checked(&self) -> bool {
        match self {
            Place::Payload => false,
            Place::Default | Place::Field(_) => true,
            Place::Element(outer) | Place::Key(outer) | Place::Item(outer) => outer.is_checked(),
        }
    }

    /// Appends what Java's error texts call the place.
    pub(super) fn describe(&self, text: &mut String) {
        match self {
            Place::Payload | Place::Default => text.push_str("value"),
            Place::Field(name) => {
                text.push_str("field: \"");
                text.push_str(name);
                text.push('"');
            }
            Place::Element(outer) => {
                text.push_str("element of array ");
                outer.describe(text);
            }
            Place::Key(outer) => {
                text.push_str("key of map ");
                outer.describe(text);
            }
            Place::Item(outer) => {
                text.push_str("value of map ");
                outer.describe(text);
            }
        }
    }
}

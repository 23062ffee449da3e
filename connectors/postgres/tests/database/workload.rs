//! Random tables, changes of their definitions, and transactions on them.

use std::fmt::Write as _;

use lavka_testkit::Chance;

/// Ids that rows have, so that updates and deletes find some.
const IDS: u64 = 40;
/// Types with what a value of them may be; `null` may be drawn instead of any.
const TYPES: &[(&str, &[&str])] = &[
    ("boolean", &["true", "false"]),
    ("smallint", &["0", "-32768", "32767"]),
    ("int", &["0", "2147483647", "-7"]),
    ("bigint", &["9223372036854775807", "-9223372036854775808", "12"]),
    ("real", &["1.5", "'NaN'", "'-Infinity'", "3.4e38", "1e-7"]),
    (
        "double precision",
        &["2.718281828459045", "'NaN'", "'Infinity'", "1e300", "0.1", "123456789.125", "-0.0"],
    ),
    ("numeric", &["0", "123.4567", "-0.001", "1e20", "99999999999999999999.9"]),
    ("numeric(12,3)", &["0", "1.005", "-123456789.999"]),
    ("numeric(5)", &["0", "12345", "-1"]),
    ("money", &["1234.56", "-0.05", "0"]),
    ("char(5)", &["'ab'", "'é'", "''"]),
    ("varchar(30)", &["'x'", "'it''s'", "'tab\there'", "''", "'日本'"]),
    ("text", &["'text'", "'{\"a\":1}'", "''", "E'line\\nbreak \\\\ \"quoted\"'", "'😀'"]),
    ("bytea", &["'\\x0102ff'", "''", "'\\x00'"]),
    ("bit(1)", &["B'1'", "B'0'"]),
    ("bit(12)", &["B'101010101010'", "B'000000000001'"]),
    ("varbit(20)", &["B'1011'", "B'10000000'"]),
    ("date", &["'2026-03-04'", "'1969-12-31'", "'0001-01-01'", "'9999-12-31'"]),
    ("time", &["'13:14:15.123456'", "'00:00'", "'23:59:59.999999'"]),
    ("time(2)", &["'13:14:15.12'", "'00:00'"]),
    ("timetz", &["'13:14:15.5+02'", "'00:00Z'", "'23:00-05:30'"]),
    ("timestamp", &["'2026-03-04 13:14:15.123456'", "'1900-01-01'", "'1969-12-31 23:59:59.999999'"]),
    ("timestamp(1)", &["'2026-03-04 13:14:15.1'", "'1950-06-07 08:09:10.9'"]),
    ("timestamp(4)", &["'2026-03-04 13:14:15.1234'", "'1970-01-01'"]),
    (
        "timestamptz",
        &["'2026-03-04 13:14:15.123456+02'", "'infinity'", "'1950-01-01Z'", "'2026-01-01 00:00Z'"],
    ),
    ("timestamptz(3)", &["'2026-03-04 13:14:15.12+02'", "'1999-12-31 23:59:59.999Z'"]),
    (
        "interval",
        &["'1 year 2 months 3 days 04:05:06.789'", "'-1 day'", "'00:00:00'", "'-3 mons 4 days -00:00:01'"],
    ),
    ("uuid", &["'6f8c2b1e-3a4d-4c5e-8f70-112233445566'"]),
    ("json", &["'{\"a\": 1,  \"b\":[1,2]}'", "'null'", "'\"é\"'"]),
    ("jsonb", &["'{\"b\": 1.50, \"a\":[true,null]}'", "'[]'"]),
    ("xml", &["'<a>1</a>'"]),
    ("inet", &["'192.168.1.10/24'", "'::1'"]),
    ("cidr", &["'10.0.0.0/8'"]),
    ("macaddr", &["'08:00:2b:01:02:03'"]),
    ("int4range", &["'[1,10)'", "'empty'", "'(,5]'"]),
    ("numrange", &["'[1.5,2.5)'"]),
    ("tstzrange", &["'[2026-01-01 00:00Z,)'"]),
    ("daterange", &["'[2026-01-01,2026-02-01)'"]),
    ("point", &["'(1,2)'", "'(-0.5,1e10)'"]),
    ("tsvector", &["'fat:2 cat:3'"]),
    ("oid", &["12345", "4294967295"]),
    ("mood", &["'sad'", "'happy'"]),
    ("posint", &["7"]),
    ("price", &["12.34", "0.5"]),
    ("boolean[]", &["'{t,f,null}'", "'{}'"]),
    ("smallint[]", &["'{1,2}'"]),
    ("int[]", &["'{1,null,3}'", "'{}'"]),
    ("bigint[]", &["'{9223372036854775807}'"]),
    ("double precision[]", &["'{1.5,NaN}'"]),
    ("numeric(6,2)[]", &["'{1.20,3}'"]),
    ("numeric[]", &["'{1.234,8}'"]),
    ("text[]", &["'{a,\"b,c\",null,\"\"}'", "'{}'"]),
    ("varchar(10)[]", &["'{x}'"]),
    ("date[]", &["'{2026-01-02}'"]),
    ("timestamp[]", &["'{2026-01-02 03:04:05.678901}'"]),
    ("timestamptz[]", &["'{2026-01-02 03:04:05+02}'"]),
    ("uuid[]", &["'{6f8c2b1e-3a4d-4c5e-8f70-112233445566}'"]),
    ("jsonb[]", &["array['{\"a\": 1}'::jsonb]"]),
    ("bytea[]", &["array['\\x01ff'::bytea]"]),
    ("mood[]", &["'{sad,happy}'"]),
    ("box", &["'((0,0),(2,2))'"]),
    ("pair", &["'(1,abc)'"]),
    ("int4multirange", &["'{[1,3),[5,7)}'"]),
];
/// Defaults that may go with a type.
const DEFAULTS: &[(&str, &str)] = &[
    ("boolean", "true"),
    ("smallint", "-3"),
    ("int", "42"),
    ("bigint", "1234567890123"),
    ("double precision", "1.5"),
    ("numeric(12,3)", "1.5"),
    ("varchar(30)", "'it''s'"),
    ("text", "'x y'"),
    ("date", "'2026-01-02'"),
    ("timestamp", "'2026-01-02 03:04:05'"),
    ("timestamptz", "now()"),
    ("uuid", "'00000000-0000-4000-8000-000000000001'"),
    ("jsonb", "'{\"a\": 1}'"),
    ("mood", "'happy'"),
    ("interval", "'1 day'"),
];
/// Changes of a column's type that keep its values.
const WIDER: &[(&str, &str)] = &[
    ("smallint", "int"),
    ("int", "bigint"),
    ("varchar(30)", "text"),
    ("numeric(12,3)", "numeric(14,4)"),
    ("real", "double precision"),
    ("timestamp(1)", "timestamp"),
    ("char(5)", "varchar(30)"),
];

#[derive(Clone)]
struct Column {
    name: String,
    ty: &'static str,
    required: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Key {
    /// `id`.
    Id,
    /// `id` and `part`.
    Two,
    /// None; updates and deletes take REPLICA IDENTITY FULL.
    None,
}

struct Table {
    name: String,
    key: Key,
    columns: Vec<Column>,
}

/// What there is, and what is to happen next.
pub(crate) struct Workload {
    chance: Chance,
    tables: Vec<Table>,
    made: u64,
    rounds: u64,
    /// Messages outside of transactions are written too.
    loose: bool,
    /// The transaction has a message.
    spoken: bool,
}

impl Workload {
    pub(crate) fn new(chance: Chance) -> Self {
        Self { chance, tables: Vec::new(), made: 0, rounds: 0, loose: true, spoken: false }
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.chance.below(limit as u64)).unwrap()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// The tables that are there before anybody connects, with rows.
    pub(crate) fn begin(&mut self) -> String {
        let mut sql = "\\set ON_ERROR_STOP 0
            create type mood as enum ('sad', 'ok', 'happy');
            create domain posint as int check (value > 0);
            create domain price as numeric(8,2);
            create type pair as (a int, b text);
            create table marker (n int primary key);
            create table parts (id int, region text, v text, primary key (id, region)) partition by list (region);
            create table parts_eu partition of parts for values in ('eu');
            create table parts_us partition of parts for values in ('us');
            create table made (id int primary key, a int, twice int generated always as (a * 2) stored, z text);
            create table toasted (id int primary key, n int, t text, j jsonb, b bytea, ta text[], ia int[]);
            alter table toasted alter t set storage external, alter b set storage external;\n"
            .to_owned();
        for _ in 0..6 {
            sql += &self.create();
        }
        for table in 0..self.tables.len() {
            for id in 0..8 {
                sql += &self.insert(table, id);
            }
        }
        sql
    }

    fn create(&mut self) -> String {
        self.made += 1;
        let key = self.pick(&[Key::Id, Key::Id, Key::Two, Key::None]);
        let mut table = Table { name: format!("t{}", self.made), key, columns: Vec::new() };
        let mut sql = format!("create table {} (id int not null, part text not null", table.name);
        for number in 0..3 + self.below(10) {
            let (column, definition) = self.column(format!("c{number}"));
            let _ = write!(sql, ", {definition}");
            table.columns.push(column);
        }
        sql += match key {
            Key::Id => ", primary key (id));\n",
            Key::Two => ", primary key (part, id));\n",
            Key::None => ");\n",
        };
        if key == Key::None || self.one_in(3) {
            let _ = writeln!(sql, "alter table {} replica identity full;", table.name);
        }
        self.tables.push(table);
        sql
    }

    fn column(&mut self, name: String) -> (Column, String) {
        let (mut ty, _) = self.pick(TYPES);
        let mut definition = String::new();
        let mut required = false;
        if self.one_in(3) {
            let (of, default) = self.pick(DEFAULTS);
            ty = of;
            required = self.one_in(2);
            definition = format!(" default {default}");
            if required {
                definition += " not null";
            }
        }
        (Column { name: name.clone(), ty, required }, format!("{name} {ty}{definition}"))
    }

    fn value(&mut self, column: &Column) -> &'static str {
        if !column.required && self.one_in(5) {
            return "null";
        }
        let values =
            TYPES.iter().find(|(ty, _)| *ty == column.ty).map_or(&["null"][..], |(_, values)| values);
        self.pick(values)
    }

    fn insert(&mut self, table: usize, id: u64) -> String {
        let columns = self.tables[table].columns.clone();
        let mut names = "id, part".to_owned();
        let mut values = format!("{id}, '{}'", self.pick(&["a", "b"]));
        for column in &columns {
            // Others have their defaults.
            if !self.one_in(6) {
                let _ = write!(names, ", {}", column.name);
                let _ = write!(values, ", {}", self.value(column));
            }
        }
        let name = &self.tables[table].name;
        format!("insert into {name} ({names}) values ({values}) on conflict do nothing;\n")
    }

    /// A change of a definition.
    fn define(&mut self) -> String {
        if self.one_in(6) {
            return self.create();
        }
        if self.one_in(8) {
            self.made += 1;
            return format!("alter type mood add value 'mood {}';\n", self.made);
        }
        let at = self.below(self.tables.len());
        let name = self.tables[at].name.clone();
        match self.below(7) {
            0 | 1 => {
                self.made += 1;
                let (column, definition) = self.column(format!("n{}", self.made));
                self.tables[at].columns.push(column);
                format!("alter table {name} add column {definition};\n")
            }
            2 if self.tables[at].columns.len() > 2 => {
                let column = self.below(self.tables[at].columns.len());
                let column = self.tables[at].columns.remove(column);
                format!("alter table {name} drop column {};\n", column.name)
            }
            3 => {
                self.made += 1;
                let to = format!("r{}", self.made);
                let column = self.below(self.tables[at].columns.len());
                let column = &mut self.tables[at].columns[column];
                let from = std::mem::replace(&mut column.name, to.clone());
                format!("alter table {name} rename column {from} to {to};\n")
            }
            4 => {
                let wider = |column: &mut Column| {
                    let (_, to) = WIDER.iter().find(|(from, _)| *from == column.ty)?;
                    column.ty = to;
                    Some(format!(
                        "alter table {name} alter column {0} drop default, alter column {0} type {to};\n",
                        column.name
                    ))
                };
                self.tables[at].columns.iter_mut().find_map(wider).unwrap_or_default()
            }
            5 if self.tables[at].key != Key::None => {
                let identity = self.pick(&["full", "default"]);
                format!("alter table {name} replica identity {identity};\n")
            }
            _ => {
                let column = self.below(self.tables[at].columns.len());
                let column = &self.tables[at].columns[column];
                if column.required {
                    return String::new();
                }
                format!("alter table {name} alter column {} drop default;\n", column.name)
            }
        }
    }

    fn statement(&mut self) -> String {
        let id = self.chance.below(IDS);
        let other = self.chance.below(IDS);
        match self.below(20) {
            0 => {
                let region = self.pick(&["eu", "us"]);
                match self.below(4) {
                    0 => format!("delete from parts where id = {id};\n"),
                    1 => format!("update parts set region = '{region}' where id = {id};\n"),
                    2 => format!("update parts set v = 'n' where id = {id};\n"),
                    _ => {
                        format!("insert into parts values ({id}, '{region}', 'v') on conflict do nothing;\n")
                    }
                }
            }
            1 => match self.below(4) {
                0 => format!(
                    "insert into made (id, a, z) values ({id}, {other}, 'z') on conflict do nothing;\n"
                ),
                1 => format!("delete from made where id = {id};\n"),
                2 => format!("update made set id = {other} where id = {id};\n"),
                _ => format!("update made set a = {other};\n"),
            },
            2 => match self.below(3) {
                0 => format!(
                    "insert into toasted values ({id}, 1, repeat('long ', 2000), \
                     (select jsonb_agg(md5(i::text)) from generate_series(1, 300) i), \
                     (select string_agg(decode(md5(i::text), 'hex'), '') from generate_series(1, 300) i), \
                     (select array_agg(md5(i::text)) from generate_series(1, 300) i), \
                     (select array_agg(i * 7919 % 1000003) from generate_series(1, 3000) i)) on conflict do nothing;\n"
                ),
                1 => format!("update toasted set n = {other} where id < {id};\n"),
                _ => format!("update toasted set t = 'short', id = {other} where id = {id};\n"),
            },
            3 => {
                let transactional = !self.loose || self.one_in(2);
                // Debezium counts several of a transaction as so many tables, each by an object of Java; here they are one.
                if transactional && std::mem::replace(&mut self.spoken, true) {
                    return String::new();
                }
                format!(
                    "select pg_logical_emit_message({transactional}, 'app.{id}', 'content {other} é') \\g /dev/null\n"
                )
            }
            4 if self.one_in(3) => {
                let at = self.below(self.tables.len());
                format!("truncate {}, made;\n", self.tables[at].name)
            }
            5..12 => {
                let at = self.below(self.tables.len());
                self.insert(at, id)
            }
            kind => {
                let at = self.below(self.tables.len());
                let column = self.below(self.tables[at].columns.len());
                let column = self.tables[at].columns[column].clone();
                let value = self.value(&column);
                let table = &self.tables[at].name;
                match kind {
                    12 | 13 => format!("delete from {table} where id = {id};\n"),
                    14 => format!(
                        "update {table} set id = {other}, {} = {value} where id = {id};\n",
                        column.name
                    ),
                    15 => format!("update {table} set part = 'p{other}' where id = {id};\n"),
                    16 => format!("update {table} set {} = {value};\n", column.name),
                    17 => format!("update {table} set id = id where id = {id};\n"),
                    _ => format!("update {table} set {} = {value} where id < {id};\n", column.name),
                }
            }
        }
    }

    /// Definitions change, then come transactions, some of them rolled back in part or as a whole; the last one puts the
    /// number that is returned too into `marker`. `loose` allows for messages outside of transactions.
    pub(crate) fn round(&mut self, loose: bool) -> (u64, String) {
        self.rounds += 1;
        self.loose = loose;
        let mut sql = "\\set ON_ERROR_STOP 0\n".to_owned();
        if self.rounds > 1 {
            for _ in 0..self.below(4) {
                sql += &self.define();
            }
        }
        for _ in 0..4 + self.below(12) {
            let statements = 1 + self.below(6);
            self.spoken = false;
            if statements == 1 {
                sql += &self.statement();
                continue;
            }
            sql += "begin;\n";
            for number in 0..statements {
                let save = self.one_in(5);
                if save {
                    let _ = writeln!(sql, "savepoint s{number};");
                }
                sql += &self.statement();
                if save && self.one_in(2) {
                    let _ = writeln!(sql, "rollback to savepoint s{number};");
                }
            }
            sql += if self.one_in(10) { "rollback;\n" } else { "commit;\n" };
        }
        let _ = writeln!(sql, "insert into marker values ({});", self.rounds);
        (self.rounds, sql)
    }
}

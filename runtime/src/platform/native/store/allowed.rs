//! What an object's own SQL may use (P50): the lists of workerd's `sqlite.c++`. A test compares
//! workerd's lists with these.

/// The functions, by SQLite's names for them.
#[rustfmt::skip]
pub(super) const FUNCTIONS: &[&str] = &[
    "abs", "changes", "char", "coalesce", "concat", "concat_ws", "format", "glob", "hex", "ifnull",
    "iif", "instr", "last_insert_rowid", "length", "like", "likelihood", "likely", "lower", "ltrim",
    "max_scalar", "min_scalar", "nullif", "octet_length", "printf", "quote", "random", "randomblob",
    "replace", "round", "rtrim", "sign", "substr", "substring", "total_changes", "trim", "typeof",
    "unhex", "unicode", "unlikely", "upper", "zeroblob", "date", "time", "datetime", "julianday",
    "unixepoch", "strftime", "timediff", "current_date", "current_time", "current_timestamp", "avg",
    "count", "group_concat", "max", "min", "string_agg", "sum", "total", "row_number", "rank",
    "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead", "first_value", "last_value",
    "nth_value", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "cos", "cosh",
    "degrees", "exp", "floor", "ln", "log", "log2", "mod", "pi", "pow", "radians", "sin", "sinh",
    "sqrt", "tan", "tanh", "trunc", "json", "jsonb", "json_array", "jsonb_array",
    "json_array_length", "json_extract", "jsonb_extract", "->", "->>", "json_insert",
    "jsonb_insert", "json_object", "jsonb_object", "json_patch", "jsonb_patch", "json_remove",
    "jsonb_remove", "json_replace", "jsonb_replace", "json_set", "jsonb_set", "json_type",
    "json_valid", "json_quote", "json_group_array", "jsonb_group_array", "json_group_object",
    "jsonb_group_object", "json_each", "json_tree", "match", "highlight", "bm25", "snippet",
    "rtreecheck", "sqlite_rename_column", "sqlite_rename_table", "sqlite_rename_test",
    "sqlite_drop_column", "sqlite_rename_quotefix",
];

/// Functions on workerd's list that are not on this one, because they do not work there. Extensions
/// cannot be loaded, and workerd's SQLite is built without the other.
#[cfg(test)]
pub(super) const NOT_AS_ON_WORKERD: &[&str] = &["load_extension", "soundex"];

/// What may follow a pragma's name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Argument {
    Nothing,
    Boolean,
    Name,
    OptionalName,
    OptionalNumber,
    OptionalNumberOrName,
    /// Any argument that SQLite accepts.
    Anything,
}

pub(super) const PRAGMAS: &[(&str, Argument)] = &[
    ("case_sensitive_like", Argument::Boolean),
    ("data_version", Argument::Nothing),
    ("defer_foreign_keys", Argument::Boolean),
    ("foreign_key_check", Argument::OptionalName),
    ("foreign_key_list", Argument::Name),
    ("foreign_keys", Argument::Boolean),
    ("ignore_check_constraints", Argument::Boolean),
    ("index_info", Argument::Name),
    ("index_list", Argument::Name),
    ("index_xinfo", Argument::Name),
    ("legacy_alter_table", Argument::Boolean),
    ("optimize", Argument::OptionalNumber),
    // R-trees read it when they are created.
    ("page_size", Argument::Nothing),
    ("quick_check", Argument::OptionalNumberOrName),
    ("recursive_triggers", Argument::Boolean),
    ("reverse_unordered_selects", Argument::Boolean),
    ("table_info", Argument::Name),
    ("table_list", Argument::Anything),
    ("table_xinfo", Argument::Name),
];

/// The modules of virtual tables.
pub(super) const MODULES: &[&str] = &["fts5", "fts5vocab", "rtree", "rtree_i32"];

impl Argument {
    /// Whether the platform accepts `given`. `is_reserved` identifies reserved names.
    pub(super) fn allows(self, given: Option<&str>, is_reserved: impl Fn(&str) -> bool) -> bool {
        match (self, given) {
            (Self::Anything, _) => true,
            (Self::Name, None) => false,
            (_, None) => true,
            (Self::Nothing, Some(_)) => false,
            (Self::Boolean, Some(given)) => is_boolean(given),
            (Self::Name | Self::OptionalName, Some(given)) => !is_reserved(given),
            (Self::OptionalNumber, Some(given)) => given.parse::<i32>().is_ok(),
            (Self::OptionalNumberOrName, Some(given)) => {
                given.parse::<u32>().is_ok() || !is_reserved(given)
            }
        }
    }
}

/// Whether this is one of SQLite's boolean words. workerd checks how they begin.
fn is_boolean(given: &str) -> bool {
    let quoted = ['\'', '"']
        .into_iter()
        .find_map(|quote| given.strip_prefix(quote)?.strip_suffix(quote));
    let given = quoted.unwrap_or(given).to_ascii_lowercase();
    ["true", "false", "yes", "no", "on", "off", "1", "0"]
        .iter()
        .any(|word| given.starts_with(word))
}

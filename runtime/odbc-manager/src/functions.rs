//! The functions of ODBC that `odbc-api` calls, under their own names, each one a jump into the library that was loaded.
//!
//! The arguments mean what ODBC's reference says of the function; nothing is looked at here. Without a library every call
//! answers `SQL_ERROR`, and `odbc-api` says that no environment could be made.

#![expect(unsafe_code, reason = "the way of a call to a C library; ADR 14")]
#![expect(non_snake_case, reason = "the names are ODBC's")]

use std::sync::OnceLock;

use libloading::Library;
use odbc_api::sys::{
    CDataType, CompletionType, ConnectionAttribute, Desc, DriverConnectOption, EnvironmentAttribute,
    FetchOrientation, FreeStmtOption, HDbc, HDesc, HEnv, HStmt, HWnd, Handle, HandleType, InfoType, Len,
    Nullability, ParamType, Pointer, SqlDataType, SqlReturn, StatementAttribute, ULen, WChar,
};

/// The names of unixODBC, which speaks UTF-16 as this build does (iODBC does not).
const NAMES: &[&str] = if cfg!(target_os = "macos") {
    &[
        "libodbc.2.dylib",
        "libodbc.dylib",
        "/opt/homebrew/lib/libodbc.2.dylib",
        "/usr/local/lib/libodbc.2.dylib",
    ]
} else {
    &["libodbc.so.2", "libodbc.so.1", "libodbc.so"]
};

static LOADED: OnceLock<Result<Functions, String>> = OnceLock::new();

/// Loads the library, once in the life of the process.
pub(crate) fn load() -> Result<(), &'static str> {
    match LOADED.get_or_init(find) {
        Ok(_) => Ok(()),
        Err(why) => Err(why),
    }
}

fn find() -> Result<Functions, String> {
    let mut reasons = Vec::new();
    for name in NAMES {
        // SAFETY: the initialisers of a driver manager are run, which the user installed to be run.
        match unsafe { Library::new(*name) } {
            Ok(library) => return Functions::of(library),
            Err(error) => reasons.push(error.to_string()),
        }
    }
    Err(reasons.join("; "))
}

macro_rules! forward {
    ($($name:ident($($argument:ident: $ty:ty),*);)*) => {
        /// Where the functions are.
        struct Functions {
            $($name: unsafe extern "system" fn($($ty),*) -> SqlReturn,)*
            /// Never unloaded: the pointers lead into it.
            _library: Library,
        }

        impl Functions {
            fn of(library: Library) -> Result<Self, String> {
                Ok(Self {
                    $($name: {
                        // SAFETY: the signature is that of ODBC's reference, as odbc-sys has it.
                        let found = unsafe {
                            library.get::<unsafe extern "system" fn($($ty),*) -> SqlReturn>(stringify!($name))
                        };
                        *found.map_err(|error| error.to_string())?
                    },)*
                    _library: library,
                })
            }
        }

        $(
            #[unsafe(no_mangle)]
            unsafe extern "system" fn $name($($argument: $ty),*) -> SqlReturn {
                match LOADED.get() {
                    // SAFETY: the caller keeps to what the function asks for.
                    Some(Ok(functions)) => unsafe { (functions.$name)($($argument),*) },
                    _ => SqlReturn::ERROR,
                }
            }
        )*
    };
}

forward! {
    SQLAllocHandle(a: HandleType, b: Handle, c: *mut Handle);
    SQLBindCol(a: HStmt, b: u16, c: CDataType, d: Pointer, e: Len, f: *mut Len);
    SQLBindParameter(
        a: HStmt, b: u16, c: ParamType, d: CDataType, e: SqlDataType,
        f: ULen, g: i16, h: Pointer, i: Len, j: *mut Len
    );
    SQLCancel(a: HStmt);
    SQLCloseCursor(a: HStmt);
    SQLDescribeParam(a: HStmt, b: u16, c: *mut SqlDataType, d: *mut ULen, e: *mut i16, f: *mut Nullability);
    SQLDisconnect(a: HDbc);
    SQLEndTran(a: HandleType, b: Handle, c: CompletionType);
    SQLExecute(a: HStmt);
    SQLFetch(a: HStmt);
    SQLFreeHandle(a: HandleType, b: Handle);
    SQLFreeStmt(a: HStmt, b: FreeStmtOption);
    SQLGetData(a: HStmt, b: u16, c: CDataType, d: Pointer, e: Len, f: *mut Len);
    SQLMoreResults(a: HStmt);
    SQLNumParams(a: HStmt, b: *mut i16);
    SQLNumResultCols(a: HStmt, b: *mut i16);
    SQLParamData(a: HStmt, b: *mut Pointer);
    SQLPutData(a: HStmt, b: Pointer, c: Len);
    SQLRowCount(a: HStmt, b: *mut Len);
    SQLSetEnvAttr(a: HEnv, b: EnvironmentAttribute, c: Pointer, d: i32);
    SQLGetDiagRecW(a: HandleType, b: Handle, c: i16, d: *mut WChar, e: *mut i32, f: *mut WChar, g: i16, h: *mut i16);
    SQLSetDescFieldW(a: HDesc, b: i16, c: Desc, d: Pointer, e: i32);
    SQLConnectW(a: HDbc, b: *const WChar, c: i16, d: *const WChar, e: i16, f: *const WChar, g: i16);
    SQLDriverConnectW(
        a: HDbc, b: HWnd, c: *const WChar, d: i16, e: *mut WChar,
        f: i16, g: *mut i16, h: DriverConnectOption
    );
    SQLGetConnectAttrW(a: HDbc, b: ConnectionAttribute, c: Pointer, d: i32, e: *mut i32);
    SQLGetInfoW(a: HDbc, b: InfoType, c: Pointer, d: i16, e: *mut i16);
    SQLSetConnectAttrW(a: HDbc, b: ConnectionAttribute, c: Pointer, d: i32);
    SQLDataSourcesW(
        a: HEnv, b: FetchOrientation, c: *mut WChar, d: i16, e: *mut i16,
        f: *mut WChar, g: i16, h: *mut i16
    );
    SQLDriversW(a: HEnv, b: FetchOrientation, c: *mut WChar, d: i16, e: *mut i16, f: *mut WChar, g: i16, h: *mut i16);
    SQLColAttributeW(a: HStmt, b: u16, c: Desc, d: Pointer, e: i16, f: *mut i16, g: *mut Len);
    SQLColumnsW(
        a: HStmt, b: *const WChar, c: i16, d: *const WChar, e: i16,
        f: *const WChar, g: i16, h: *const WChar, i: i16
    );
    SQLDescribeColW(
        a: HStmt, b: u16, c: *mut WChar, d: i16, e: *mut i16,
        f: *mut SqlDataType, g: *mut ULen, h: *mut i16, i: *mut Nullability
    );
    SQLExecDirectW(a: HStmt, b: *const WChar, c: i32);
    SQLForeignKeysW(
        a: HStmt, b: *const WChar, c: i16, d: *const WChar, e: i16,
        f: *const WChar, g: i16, h: *const WChar, i: i16, j: *const WChar,
        k: i16, l: *const WChar, m: i16
    );
    SQLGetStmtAttrW(a: HStmt, b: StatementAttribute, c: Pointer, d: i32, e: *mut i32);
    SQLPrepareW(a: HStmt, b: *const WChar, c: i32);
    SQLPrimaryKeysW(a: HStmt, b: *const WChar, c: i16, d: *const WChar, e: i16, f: *const WChar, g: i16);
    SQLSetStmtAttrW(a: HStmt, b: StatementAttribute, c: Pointer, d: i32);
    SQLTablesW(
        a: HStmt, b: *const WChar, c: i16, d: *const WChar, e: i16,
        f: *const WChar, g: i16, h: *const WChar, i: i16
    );
}

/// Cancels what a statement is doing, as another thread may.
pub(crate) fn cancel(statement: HStmt) -> SqlReturn {
    // SAFETY: the driver manager looks the handle up among those that are alive, and answers SQL_INVALID_HANDLE otherwise.
    unsafe { SQLCancel(statement) }
}

/// `SQL_PARAM_ERROR` and `SQL_PARAM_UNUSED`: what a driver says of rows that it did not do.
const NOT_DONE: [u16; 2] = [5, 7];

/// Runs `execute` on a statement with so many rows bound, and tells which of them the driver did not do; `None` where the
/// driver takes no arrays.
///
/// A driver that did some rows and not others answers `SQL_SUCCESS_WITH_INFO`, and has the truth in an array of its own.
pub(crate) fn with_statuses<R>(
    statement: HStmt,
    rows: usize,
    execute: impl FnOnce() -> R,
) -> Option<(R, Vec<usize>)> {
    let mut statuses = Statuses { statement, of_rows: vec![0; rows] };
    let sized = statuses.set(StatementAttribute::ParamsetSize, std::ptr::without_provenance_mut(rows.max(1)));
    if rows > 1 && sized != SqlReturn::SUCCESS {
        return None;
    }
    let array: Pointer = statuses.of_rows.as_mut_ptr().cast();
    // A driver without the attribute reports a failure of any row as one of all.
    let _ = statuses.set(StatementAttribute::ParamStatusPtr, array);
    let outcome = execute();
    let not_done = statuses.of_rows.iter().enumerate().filter(|(_, status)| NOT_DONE.contains(status));
    let not_done = not_done.map(|(row, _)| row).collect();
    Some((outcome, not_done))
}

/// The array that a driver writes to: as long as it is known to the statement it stays where it is.
struct Statuses {
    statement: HStmt,
    of_rows: Vec<u16>,
}

impl Statuses {
    fn set(&self, attribute: StatementAttribute, value: Pointer) -> SqlReturn {
        // SAFETY: the attributes take a number, null, or an array with an element for each row, which `drop` takes back
        // before the array goes. A handle that is not alive is refused by the driver manager.
        unsafe { SQLSetStmtAttrW(self.statement, attribute, value, 0) }
    }
}

impl Drop for Statuses {
    fn drop(&mut self) {
        let _ = self.set(StatementAttribute::ParamStatusPtr, std::ptr::null_mut());
    }
}

/// Whether a column of an answer counts up by itself, as far as the driver tells.
pub(crate) fn counts_up(statement: HStmt, column: u16) -> bool {
    let mut counts: Len = 0;
    let (nothing, to) = (std::ptr::null_mut(), &raw mut counts);
    // SAFETY: of this attribute the driver writes the number alone.
    let found = unsafe {
        SQLColAttributeW(statement, column, Desc::AutoUniqueValue, nothing, 0, std::ptr::null_mut(), to)
    };
    found == SqlReturn::SUCCESS && counts == 1
}

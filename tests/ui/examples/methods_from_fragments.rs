//! Attributes, visibility, bodies and types that a `macro_rules` macro passes on. Also objects in a
//! function, and deprecated types.
#![deny(warnings)]
#![allow(clippy::unused_unit)]

use anchorhold::prelude::*;
#[deprecated]
#[derive(serde::Serialize, serde::Deserialize)]
pub struct OldType;
macro_rules! object {
    ($(#[$top:meta])* $vis:vis $object:ident { $($(#[$m:meta])* $mv:vis fn $name:ident($($arg:ident: $ty:ty),*) -> $out:ty $body:block)* } $path:expr, $status:expr) => {
        $(#[$top])*
        #[durable_object]
        $vis struct $object { value: i64 }
        #[durable_object]
        impl $object {
            $($(#[$m])* $mv fn $name(&mut self, $($arg: $ty),*) -> $out $body)*
            #[post($path, status = $status)]
            fn made(&mut self) -> i64 { self.value }
        }
    };
}
object!(/// Docs.
pub Counter {
    #[rpc] #[get("/x/{by}")] fn add(by: i64) -> Result<i64, Error> { Ok(by) }
    /// Documented.
    #[rpc] pub(crate) fn sub(by: Option<String>) -> () { let _ = by; }
} "/made", 201);

#[durable_object]
pub struct Other {
    votes: Votes,
}
type Votes = StoredMap<String, i32>;
#[durable_object]
#[allow(deprecated)]
impl Other {
    #[rpc]
    fn take(&mut self, old: OldType) -> OldType {
        let _ = &self.votes;
        old
    }
}
pub fn inside() {
    #[durable_object]
    pub struct Local {
        value: i64,
    }
    #[durable_object]
    impl Local {
        #[rpc]
        fn v(&self) -> i64 {
            self.value
        }
        #[alarm]
        fn s(&mut self) {}
    }
}
#[durable_object]
pub struct Third {
    value: i64,
}
#[durable_object]
impl Third {
    #[rpc]
    #[expect(deprecated)]
    fn take(&mut self, old: OldType) -> i64 {
        let _ = old;
        self.value
    }
    #[rpc]
    fn s(&self) -> &'static str {
        "x"
    }
    #[rpc]
    fn c(&self) -> std::borrow::Cow<'static, str> {
        "x".into()
    }
}
fn main() {}

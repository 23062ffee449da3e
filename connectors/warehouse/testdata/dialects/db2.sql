-- create
CREATE TABLE "sales"."Orders" (
"Id" BIGINT NOT NULL,
"part" VARCHAR(255) NOT NULL,
"i8" SMALLINT,
"i16" SMALLINT,
"i32" INTEGER DEFAULT 7,
"f32" FLOAT,
"f64" DOUBLE NOT NULL,
"flag" SMALLINT DEFAULT 1,
"name" VARCHAR(32672) DEFAULT 'O''Hara \',
"blob" BLOB(64000) DEFAULT x'00ff',
"amount" DECIMAL(31,2),
"day" DATE DEFAULT '1970-01-01',
"time" TIME DEFAULT '00:00:01',
"at" TIMESTAMP DEFAULT '1970-01-01 00:00:01.500',
"listed" TIMESTAMP,
PRIMARY KEY("Id","part"));

-- create without quoting
CREATE TABLE "ORDERS" (
"ID" BIGINT NOT NULL,
"PART" VARCHAR(255) NOT NULL,
PRIMARY KEY("ID","PART"));

-- add columns
ALTER TABLE "sales"."Orders" ADD "name" VARCHAR(32672) DEFAULT 'O''Hara \'
ADD "blob" BLOB(64000) DEFAULT x'00ff';

-- insert
INSERT INTO "sales"."Orders" ("Id","part","amount") VALUES (?,?,?);

-- upsert
merge into "sales"."Orders" using (values(?, ?, ?)) as DAT("Id", "part", "amount") on "sales"."Orders"."Id"=DAT."Id" and "sales"."Orders"."part"=DAT."part" when matched then update set "sales"."Orders"."amount"=DAT."amount" when not matched then insert("sales"."Orders"."amount","sales"."Orders"."Id","sales"."Orders"."part") values(DAT."amount",DAT."Id",DAT."part");

-- upsert of keys alone
merge into "sales"."Orders" using (values(?, ?)) as DAT("Id", "part") on "sales"."Orders"."Id"=DAT."Id" and "sales"."Orders"."part"=DAT."part" when not matched then insert("sales"."Orders"."Id","sales"."Orders"."part") values(DAT."Id",DAT."part");

-- update
UPDATE "sales"."Orders" SET "amount" = ? WHERE "Id" = ? AND "part" = ?;

-- delete
DELETE FROM "sales"."Orders" WHERE "Id" = ? AND "part" = ?;

-- truncate
DELETE FROM "sales"."Orders";

-- savepoint
SAVEPOINT lavka_part ON ROLLBACK RETAIN CURSORS;
RELEASE SAVEPOINT lavka_part;
ROLLBACK TO SAVEPOINT lavka_part;

-- time
VALUES CURRENT TIMESTAMP - CURRENT TIMEZONE;

-- schema
VALUES CURRENT SCHEMA;

-- zone
-- none;


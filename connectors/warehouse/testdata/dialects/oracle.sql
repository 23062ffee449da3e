-- create
CREATE TABLE "sales"."Orders" (
"Id" NUMBER(19,0) NOT NULL,
"part" VARCHAR2(4000) NOT NULL,
"i8" NUMBER(3,0) NULL,
"i16" NUMBER(5,0) NULL,
"i32" NUMBER(10,0) DEFAULT 7,
"f32" BINARY_FLOAT NULL,
"f64" BINARY_DOUBLE NOT NULL,
"flag" NUMBER(1,0) DEFAULT 1,
"name" VARCHAR2(4000) DEFAULT 'O''Hara \',
"blob" BLOB DEFAULT HEXTORAW('00ff'),
"amount" NUMBER(*,2) NULL,
"day" DATE DEFAULT DATE '1970-01-01',
"time" DATE DEFAULT TIMESTAMP '1970-01-01 00:00:01',
"at" TIMESTAMP DEFAULT TIMESTAMP '1970-01-01 00:00:01.500',
"listed" TIMESTAMP NULL,
PRIMARY KEY("Id","part"));

-- create without quoting
CREATE TABLE "ORDERS" (
"ID" NUMBER(19,0) NOT NULL,
"PART" VARCHAR2(4000) NOT NULL,
PRIMARY KEY("ID","PART"));

-- add columns
ALTER TABLE "sales"."Orders" ADD(
"name" VARCHAR2(4000) DEFAULT 'O''Hara \',
"blob" BLOB DEFAULT HEXTORAW('00ff'));

-- insert
INSERT INTO "sales"."Orders" ("Id","part","amount") VALUES (?,?,?);

-- upsert
merge into "sales"."Orders" using (select ? "Id", ? "part", ? "amount" FROM dual) incoming on("sales"."Orders"."Id"=incoming."Id" and "sales"."Orders"."part"=incoming."part") when matched then update set "sales"."Orders"."amount"=incoming."amount" when not matched then insert("sales"."Orders"."amount","sales"."Orders"."Id","sales"."Orders"."part") values(incoming."amount",incoming."Id",incoming."part");

-- upsert of keys alone
merge into "sales"."Orders" using (select ? "Id", ? "part" FROM dual) incoming on("sales"."Orders"."Id"=incoming."Id" and "sales"."Orders"."part"=incoming."part") when not matched then insert("sales"."Orders"."Id","sales"."Orders"."part") values(incoming."Id",incoming."part");

-- update
UPDATE "sales"."Orders" SET "amount" = ? WHERE "Id" = ? AND "part" = ?;

-- delete
DELETE FROM "sales"."Orders" WHERE "Id" = ? AND "part" = ?;

-- truncate
DELETE FROM "sales"."Orders";

-- savepoint
SAVEPOINT lavka_part;
-- none to release;
ROLLBACK TO SAVEPOINT lavka_part;

-- time
SELECT SYS_EXTRACT_UTC(SYSTIMESTAMP) FROM DUAL;

-- schema
SELECT SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') FROM DUAL;

-- zone
ALTER SESSION SET TIME_ZONE = 'UTC';


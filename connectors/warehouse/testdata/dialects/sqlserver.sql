-- create
CREATE TABLE [sales].[Orders] (
[Id] bigint NOT NULL,
[part] nvarchar(450) NOT NULL,
[i8] smallint NULL,
[i16] smallint NULL,
[i32] int DEFAULT 7,
[f32] real NULL,
[f64] float NOT NULL,
[flag] bit DEFAULT 1,
[name] nvarchar(max) DEFAULT 'O''Hara \',
[blob] varbinary(max) DEFAULT 0x00ff,
[amount] decimal(38,2) NULL,
[day] date DEFAULT '1970-01-01',
[time] time DEFAULT '00:00:01',
[at] datetime2 DEFAULT '1970-01-01 00:00:01.500',
[listed] datetime2 NULL,
PRIMARY KEY([Id],[part]));

-- create without quoting
CREATE TABLE [Orders] (
[Id] bigint NOT NULL,
[part] nvarchar(450) NOT NULL,
PRIMARY KEY([Id],[part]));

-- add columns
ALTER TABLE [sales].[Orders] ADD
[name] nvarchar(max) DEFAULT 'O''Hara \',
[blob] varbinary(max) DEFAULT 0x00ff;

-- insert
INSERT INTO [sales].[Orders] ([Id],[part],[amount]) VALUES (?,?,?);

-- upsert
merge into [sales].[Orders] with (HOLDLOCK) AS target using (select ? AS [Id], ? AS [part], ? AS [amount]) AS incoming on (target.[Id]=incoming.[Id] and target.[part]=incoming.[part]) when matched then update set [amount]=incoming.[amount] when not matched then insert ([amount], [Id], [part]) values (incoming.[amount],incoming.[Id],incoming.[part]);

-- upsert of keys alone
merge into [sales].[Orders] with (HOLDLOCK) AS target using (select ? AS [Id], ? AS [part]) AS incoming on (target.[Id]=incoming.[Id] and target.[part]=incoming.[part]) when not matched then insert ([Id], [part]) values (incoming.[Id],incoming.[part]);

-- update
UPDATE [sales].[Orders] SET [amount] = ? WHERE [Id] = ? AND [part] = ?;

-- delete
DELETE FROM [sales].[Orders] WHERE [Id] = ? AND [part] = ?;

-- truncate
DELETE FROM [sales].[Orders];

-- savepoint
SAVE TRANSACTION lavka_part;
-- none to release;
ROLLBACK TRANSACTION lavka_part;

-- time
SELECT SYSUTCDATETIME();

-- schema
SELECT SCHEMA_NAME();

-- zone
-- none;


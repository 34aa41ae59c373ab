-- +goose Up
-- +goose StatementBegin
CREATE FUNCTION trim_title() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.title := btrim(NEW.title);
    RETURN NEW;
END;
$$;
-- +goose StatementEnd

CREATE TRIGGER trim_title BEFORE INSERT OR UPDATE ON note
    FOR EACH ROW EXECUTE FUNCTION trim_title();

-- +goose Down
DROP TRIGGER trim_title ON note;
DROP FUNCTION trim_title();

import { useState } from 'react';
import { StyleSheet, Text, View } from 'react-native';

import type { Note, NoteValues } from '@/api/types';
import { useRecords } from '@/records/useRecords';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { Field } from '@/ui/Field';
import { Problem } from '@/ui/Problem';
import { RecordList } from '@/ui/RecordList';
import { Screen } from '@/ui/Screen';
import { usePalette } from '@/ui/theme';

export default function NotesScreen() {
  const { items, loading, problem, loadMore, refresh, add, remove } = useRecords<NoteValues, Note>('/notes');
  return (
    <Screen>
      <NoteForm onAdd={add} />
      <Problem message={problem} />
      <RecordList
        emptyText="No notes yet. Write down the first one above."
        items={items}
        loading={loading}
        onLoadMore={loadMore}
        onRefresh={refresh}
        renderItem={(note) => <NoteCard note={note} onDelete={() => remove(note)} />}
      />
    </Screen>
  );
}

function NoteForm({ onAdd }: { onAdd: (values: NoteValues) => Promise<boolean> }) {
  const [title, setTitle] = useState('');
  const [body, setBody] = useState('');

  async function submit() {
    if (!(await onAdd({ title, body }))) return;
    setTitle('');
    setBody('');
  }

  return (
    <>
      <Field
        label="Title of the note"
        maxLength={200}
        onChangeText={setTitle}
        testID="note-title"
        value={title}
      />
      <Field label="Text of the note" multiline onChangeText={setBody} testID="note-body" value={body} />
      <Button disabled={!title.trim()} label="Add note" onPress={submit} testID="add-note" />
    </>
  );
}

function NoteCard({ note, onDelete }: { note: Note; onDelete: () => void }) {
  const palette = usePalette();
  return (
    <Card testID="note">
      <View style={styles.row}>
        <Text style={[styles.title, { color: palette.text }]}>{note.title}</Text>
        <Button
          label="Delete"
          onPress={onDelete}
          quiet
          spokenLabel={`Delete “${note.title}”`}
          testID="delete-note"
        />
      </View>
      {note.body ? <Text style={[styles.body, { color: palette.faint }]}>{note.body}</Text> : null}
    </Card>
  );
}

const styles = StyleSheet.create({
  body: { fontSize: 16, lineHeight: 22 },
  row: { alignItems: 'center', flexDirection: 'row' },
  title: { flex: 1, fontSize: 18, fontWeight: '600' },
});

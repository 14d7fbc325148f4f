import { useState } from 'react';
import { Pressable, StyleSheet, Text, View } from 'react-native';

import type { Task, TaskValues } from '@/api/types';
import { useRecords } from '@/records/useRecords';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { Field } from '@/ui/Field';
import { Problem } from '@/ui/Problem';
import { RecordList } from '@/ui/RecordList';
import { Screen } from '@/ui/Screen';
import { SPACE, usePalette } from '@/ui/theme';

export default function TasksScreen() {
  const { items, loading, problem, loadMore, refresh, add, replace, remove } = useRecords<TaskValues, Task>('/tasks');
  return (
    <Screen>
      <TaskForm onAdd={add} />
      <Problem message={problem} />
      <RecordList
        emptyText="Nothing to do. Enjoy the day, or add a task above."
        items={items}
        loading={loading}
        onLoadMore={loadMore}
        onRefresh={refresh}
        renderItem={(task) => (
          <TaskCard
            onDelete={() => remove(task)}
            onToggle={() => replace(task, { title: task.title, due_on: task.due_on, done: !task.done })}
            task={task}
          />
        )}
      />
    </Screen>
  );
}

function TaskForm({ onAdd }: { onAdd: (values: TaskValues) => Promise<boolean> }) {
  const [title, setTitle] = useState('');

  async function submit() {
    if (await onAdd({ title, done: false, due_on: null })) setTitle('');
  }

  return (
    <>
      <Field
        label="What is to be done"
        maxLength={200}
        onChangeText={setTitle}
        onSubmitEditing={() => title.trim() && submit()}
        testID="task-title"
        value={title}
      />
      <Button disabled={!title.trim()} label="Add task" onPress={submit} testID="add-task" />
    </>
  );
}

function TaskCard({ task, onToggle, onDelete }: { task: Task; onToggle: () => void; onDelete: () => void }) {
  const palette = usePalette();
  return (
    <Card testID="task">
      <Pressable
        accessibilityLabel={task.title}
        accessibilityRole="checkbox"
        accessibilityState={{ checked: task.done }}
        aria-checked={task.done}
        onPress={onToggle}
        style={styles.row}
      >
        <View style={[styles.box, { borderColor: palette.accent }, task.done && { backgroundColor: palette.accent }]} />
        <Text style={[styles.title, { color: task.done ? palette.faint : palette.text }, task.done && styles.done]}>
          {task.title}
        </Text>
      </Pressable>
      <Button label={`Delete “${task.title}”`} onPress={onDelete} quiet testID="delete-task" />
    </Card>
  );
}

const styles = StyleSheet.create({
  box: { borderRadius: 6, borderWidth: 2, height: 24, width: 24 },
  done: { textDecorationLine: 'line-through' },
  row: { alignItems: 'center', flexDirection: 'row', gap: SPACE.medium, minHeight: 44 },
  title: { flex: 1, fontSize: 17 },
});

import { useState } from 'react';
import { StyleSheet, View } from 'react-native';

import type { Task, TaskValues } from '@/api/types';
import { useRecords } from '@/records/useRecords';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { Checkbox } from '@/ui/Checkbox';
import { Field } from '@/ui/Field';
import { Problem } from '@/ui/Problem';
import { RecordList } from '@/ui/RecordList';
import { Screen } from '@/ui/Screen';

export default function TasksScreen() {
  const { items, loading, problem, loadMore, refresh, add, replace, remove } = useRecords<TaskValues, Task>(
    '/tasks',
  );
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
  return (
    <Card testID="task">
      <View style={styles.row}>
        <Checkbox checked={task.done} label={task.title} onPress={onToggle} />
        <Button
          label="Delete"
          onPress={onDelete}
          quiet
          spokenLabel={`Delete “${task.title}”`}
          testID="delete-task"
        />
      </View>
    </Card>
  );
}

const styles = StyleSheet.create({ row: { alignItems: 'center', flexDirection: 'row' } });
